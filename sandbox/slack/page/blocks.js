// Block Kit's blocks as DOM nodes, by one table; an unknown block says what it is.

import { el, textObject, mrkdwn, richText, emoji, words } from "./mrkdwn.js";
import { elementNode, image } from "./elements.js";

const BLOCKS = {
  section: (block, place) => el("div", { class: "section" },
    el("div", { class: "words" },
      block.text ? textObject(block.text, place.state) : null,
      block.fields ? el("div", { class: "fields" }, ...block.fields.map((f) => textObject(f, place.state))) : null),
    block.accessory ? el("div", { class: "accessory" }, elementNode(block.accessory, place)) : null),
  header: (block) => el("h3", { dir: "auto" }, ...words(block.text.text)),
  divider: () => el("hr"),
  context: (block, place) => el("div", { class: "context" }, ...block.elements.map((inner) =>
    inner.type === "image" ? image(inner) : textObject(inner, place.state))),
  actions: (block, place) => el("div", { class: "actions" }, ...block.elements.map((e) => elementNode(e, place))),
  image: (block) => el("figure", {},
    block.title ? el("figcaption", { dir: "auto" }, block.title.text) : null, image(block)),
  rich_text: (block, place) => richText(block, place.state),
  markdown: (block, place) => mrkdwn(block.text.replaceAll("**", "*"), place.state),
  table: (block) => el("table", {}, ...block.rows.map((row) => el("tr", {}, ...row.map((cell) =>
    el("td", { dir: "auto" }, cell.text ?? JSON.stringify(cell)))))),
  input: (block, place) => el("div", { class: "input" },
    el("span", { class: "label", dir: "auto" }, emoji(block.label.text),
      block.optional ? el("em", {}, " (optional)") : null),
    elementNode(block.element, { ...place, label: block.label.text }),
    block.hint ? el("small", { dir: "auto" }, block.hint.text) : null,
    el("p", { class: "error", "data-error": block.block_id, dir: "auto" }, place.errors?.[block.block_id] ?? "")),
};

export function blockNodes(blocks, place) {
  return blocks.map((block) => {
    const make = BLOCKS[block.type];
    const node = make ? make(block, { ...place, block, act: (e, v) => place.act(block, e, v) })
      : el("p", { class: "unknown" }, `(${block.type})`);
    return el("div", { class: "block", "data-type": block.type, "data-block": block.block_id }, node);
  });
}
