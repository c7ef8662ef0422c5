// The modal on top of the acting user's stack: opened, updated without losing what was typed, submitted, closed.

import { el, emoji } from "./mrkdwn.js";
import { blockNodes } from "./blocks.js";

let shown = null;
let readers = [];

function values() {
  const typed = {};
  for (const { block, element, read } of readers) {
    (typed[block.block_id] ??= {})[element.action_id] = read();
  }
  return typed;
}

export function showModal(view, state, act) {
  const dialog = document.getElementById("modal");
  if (!view) {
    shown = null;
    if (dialog.open) dialog.close();
    return;
  }
  const key = `${view.id} ${view.hash}`;
  if (shown === key && dialog.open) {
    // The same view: only its errors may be new, and what stands in its fields stays.
    for (const node of dialog.querySelectorAll("[data-error]")) {
      node.textContent = view.errors[node.dataset.error] ?? "";
    }
    return;
  }
  shown = key;
  readers = [];
  const close = () => act({ verb: "close" });
  const place = {
    state,
    values: view.values,
    errors: view.errors,
    act: (block, element, value) =>
      act({ verb: "click", target: view.id, action_id: element.action_id, block_id: block.block_id, value,
        values: values() }),
  };
  const nodes = view.blocks.flatMap((block) => blockNodes([block], {
    ...place, input: (element, read) => readers.push({ block, element, read }) }));
  const submit = async (event) => {
    event.preventDefault();
    const send = dialog.querySelector("button[type=submit]");
    if (send) send.disabled = true;
    await act({ verb: "submit", view: view.id, values: values() });
    if (send) send.disabled = false;
  };
  dialog.replaceChildren(el("form", { novalidate: true, on: { submit } },
    el("header", {}, el("h2", { id: "modal-title", dir: "auto" }, emoji(view.title?.text ?? "")),
      el("button", { type: "button", class: "quiet", "aria-label": "Close", on: { click: close } }, "×")),
    el("div", { class: "body" }, ...nodes),
    el("footer", {},
      el("button", { type: "button", on: { click: close } }, emoji(view.close?.text ?? "Cancel")),
      view.submit ? el("button", { type: "submit", class: "primary" }, emoji(view.submit.text)) : null)));
  dialog.oncancel = (event) => { event.preventDefault(); close(); };
  if (!dialog.open) dialog.showModal();
  dialog.querySelector(".body :is(input, textarea, select)")?.focus({ preventScroll: true });
}
