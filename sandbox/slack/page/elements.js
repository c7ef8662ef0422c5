// Block Kit's elements as form controls: buttons, menus, pickers, inputs. `place.act(element, value)` sends a click;
// `place.input` collects what is typed into a modal.

import { el, textObject, emoji } from "./mrkdwn.js";

const words = (text) => emoji(text.text);

export function askFirst(confirm, go, state) {
  if (!confirm) return go();
  const dialog = document.getElementById("confirm");
  const answer = (yes) => () => { dialog.close(); if (yes) go(); };
  dialog.replaceChildren(
    el("h2", { id: "confirm-title" }, words(confirm.title)),
    textObject(confirm.text, state),
    el("footer", {},
      el("button", { type: "button", on: { click: answer(false) } }, words(confirm.deny)),
      el("button", { type: "button", class: confirm.style ?? "primary", on: { click: answer(true) } },
        words(confirm.confirm))));
  dialog.showModal();
}

function button(element, place) {
  const press = (event) => {
    const pressed = event.currentTarget;
    askFirst(element.confirm, async () => {
      pressed.disabled = true;
      if (element.url && /^https?:/i.test(element.url)) window.open(element.url, "_blank", "noopener");
      await place.act(element, element.value ?? null);
      pressed.disabled = false;
    }, place.state);
  };
  return el("button", { type: "button", class: element.style ?? "", dir: "auto", "data-action": element.action_id,
    "aria-label": element.accessibility_label ?? null, on: { click: press } }, words(element.text));
}

const people = (state) => state.users.filter((u) => !u.is_bot).map((u) => [u.id, u.real_name]);
const channels = (state) => state.channels.filter((c) => !c.is_im).map((c) => [c.id, "#" + c.name]);

function optionNode(value, label, chosen) {
  return el("option", { value, selected: chosen }, label);
}

function offered(element, state, chosen) {
  const one = (o) => optionNode(o.value, words(o.text), chosen.includes(o.value));
  if (element.option_groups) {
    return element.option_groups.map((g) => el("optgroup", { label: words(g.label) }, ...g.options.map(one)));
  }
  if (element.options) return element.options.map(one);
  const listed = element.type.includes("users") ? people(state)
    : element.type.includes("channels") ? channels(state) : [...channels(state), ...people(state)];
  return listed.map(([id, name]) => optionNode(id, name, chosen.includes(id)));
}

// What an element shows: the kept value of a modal, else its initial one.
function kept(element, place) {
  const told = place.values?.[place.block.block_id]?.[element.action_id];
  if (told) {
    const found = Object.entries(told).find(([key]) => key !== "type");
    const value = found?.[1];
    if (Array.isArray(value)) return value.map((v) => v.value ?? v);
    return value?.value ?? value ?? "";
  }
  const initial = Object.entries(element).find(([key]) => key.startsWith("initial_"))?.[1];
  if (Array.isArray(initial)) return initial.map((v) => v.value ?? v);
  return initial?.value ?? initial ?? "";
}

function listen(node, element, place, read) {
  if (place.input) place.input(element, read);
  if (!place.input || place.block.type !== "input" || place.block.dispatch_action) {
    node.addEventListener("change", () => {
      const value = read();
      if (value !== "" && value !== null) askFirst(element.confirm, () => place.act(element, value), place.state);
    });
  }
  return node;
}

function menu(element, place) {
  const multiple = element.type.startsWith("multi_");
  const now = kept(element, place);
  const chosen = Array.isArray(now) ? now : [now];
  const node = el("select", { multiple, "data-action": element.action_id, "aria-label": place.label ?? null });
  if (!multiple) node.append(optionNode("", element.placeholder ? words(element.placeholder) : "Choose…", false));
  node.append(...offered(element, place.state, chosen));
  const read = () => (multiple ? [...node.selectedOptions].map((o) => o.value) : node.value);
  return listen(node, element, place, read);
}

function overflow(element, place) {
  const node = el("select", { class: "overflow", "data-action": element.action_id, "aria-label": "More" },
    optionNode("", "⋯", true), ...element.options.map((o) => optionNode(o.value, words(o.text), false)));
  node.addEventListener("change", () => {
    const value = node.value;
    node.value = "";
    if (value) askFirst(element.confirm, () => place.act(element, value), place.state);
  });
  return node;
}

function choices(element, place) {
  const kind = element.type === "checkboxes" ? "checkbox" : "radio";
  const now = kept(element, place);
  const chosen = Array.isArray(now) ? now : [now];
  const name = `${place.block.block_id}-${element.action_id}`;
  const inputs = element.options.map((o) =>
    el("input", { type: kind, name, value: o.value, checked: chosen.includes(o.value) }));
  const node = el("fieldset", { "data-action": element.action_id }, ...element.options.map((o, index) =>
    el("label", { class: "choice" }, inputs[index], textObject(o.text, place.state),
      o.description ? el("small", {}, words(o.description)) : null)));
  const read = () => {
    const picked = inputs.filter((i) => i.checked).map((i) => i.value);
    return kind === "checkbox" ? picked : picked[0] ?? "";
  };
  return listen(node, element, place, read);
}

const KINDS = { datepicker: "date", timepicker: "time", datetimepicker: "datetime-local", number_input: "number",
  email_text_input: "email", url_text_input: "url" };

function localMinutes(seconds) {
  const moment = new Date(Number(seconds) * 1000);
  return new Date(moment - moment.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

function field(element, place) {
  const now = kept(element, place);
  const shared = { "data-action": element.action_id, "aria-label": place.label ?? null, dir: "auto",
    placeholder: element.placeholder ? words(element.placeholder) : null, autofocus: element.focus_on_load };
  const node = element.multiline
    ? el("textarea", { ...shared, rows: 4 })
    : el("input", { ...shared, type: KINDS[element.type] ?? "text",
      step: element.is_decimal_allowed ? "any" : null });
  node.value = element.type === "datetimepicker" && now ? localMinutes(now) : now;
  const read = () => (element.type === "datetimepicker" && node.value
    ? Math.floor(new Date(node.value).getTime() / 1000) : node.value);
  return listen(node, element, place, read);
}

export function image(given) {
  const file = given.slack_file;
  const id = file?.id ?? /-(F[0-9A-Z]+)\//.exec(file?.url ?? "")?.[1];
  if (!id) {
    // Nothing is fetched from elsewhere: the words of the picture stand for it.
    return el("span", { class: "noimage", dir: "auto" }, `Picture: ${given.alt_text}`);
  }
  return el("img", { src: `/page/files/${id}`, alt: given.alt_text });
}

export function elementNode(element, place) {
  if (element.type === "button") return button(element, place);
  if (element.type === "overflow") return overflow(element, place);
  if (element.type === "image") return image(element);
  if (element.type.endsWith("select")) return menu(element, place);
  if (element.type === "checkboxes" || element.type === "radio_buttons") return choices(element, place);
  return field(element, place);
}
