// The panel: levers that change the world which the app watches, drawn as the server tells them.

import { el } from "./mrkdwn.js";

async function ask(what) {
  const answer = await fetch("/page/panel", what ? { method: "POST",
    headers: { "Content-Type": "application/json" }, body: JSON.stringify(what) } : {});
  return answer.json();
}

function leverNode(lever, pulled) {
  const menu = lever.choices === null ? null : el("select", { "aria-label": lever.label },
    ...lever.choices.map(([value, words]) => el("option", { value }, words)));
  const button = el("button", { type: "button", "data-lever": lever.name,
    disabled: lever.choices !== null && !lever.choices.length,
    on: { click: async () => {
      button.disabled = true;
      pulled((await ask({ name: lever.name, value: menu?.value ?? "" })).told);
    } } }, lever.label);
  return el("div", { class: "lever" }, menu, button);
}

// What somebody chose while the server was asked stays chosen, where it can still be chosen.
function keepChoices(panel, nodes) {
  const chosen = new Map([...panel.querySelectorAll("select")].map((menu) => [menu.ariaLabel, menu.value]));
  for (const menu of nodes.flatMap((node) => [...node.querySelectorAll("select")])) {
    const kept = [...menu.options].find(({ value }) => value === chosen.get(menu.ariaLabel));
    if (kept) menu.value = kept.value;
  }
}

export async function drawPanel(panel, toast) {
  const { levers } = await ask(null);
  panel.hidden = !levers.length;
  const again = (told) => { toast(told); drawPanel(panel, toast); };
  const nodes = levers.map((lever) => leverNode(lever, again));
  keepChoices(panel, nodes);
  panel.querySelector(".levers").replaceChildren(...nodes);
}
