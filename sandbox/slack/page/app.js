// The page: what one person sees of the workspace, redrawn where it changed, and what that person does.
// It keeps no truth of its own: after every change it asks the server for the state anew.

import { el, mrkdwn } from "./mrkdwn.js";
import { blockNodes } from "./blocks.js";
import { showModal } from "./modal.js";
import { drawPanel } from "./panel.js";

const $ = (id) => document.getElementById(id);
const HOME = "home";
const place = { user: sessionStorage.getItem("user") ?? "", channel: null, thread: null };
const seen = new Map();
let state = null;
let asking = false;
let again = false;

function toast(words) {
  const node = el("p", {}, words);
  $("toasts").append(node);
  setTimeout(() => node.remove(), 8000);
}

const TROUBLE = {
  operation_timeout: "The app did not answer within three seconds.",
  dispatch_failed: "The app could not be reached.",
};

const KEPT = "what you typed is kept. Send it again once it runs.";

// What a person did, told to the server; false where nobody could be reached who would act on it.
async function act(what) {
  let answer;
  try {
    answer = await fetch("/page/act", {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ user: state.user, ...what }),
    });
  } catch {
    toast(`The sandbox does not answer; ${KEPT}`);
    return false;
  }
  const { error } = answer.ok ? await answer.json() : { error: await answer.text() };
  if (error && error !== "missing_fields" && what.verb !== "slash") toast(TROUBLE[error] ?? error);
  await refresh();
  const unheard = what.verb === "slash" && error === "dispatch_failed";
  if (unheard) toast(`The app is not there; ${KEPT}`);
  if (what.verb === "say" && !state.connected && isForTheApp(what)) {
    toast("The app is not there. Your message stands, and is told to the app for five minutes yet.");
  }
  return !unheard;
}

// Whether a message speaks to the app: in the messages with it, or by its name.
function isForTheApp(what) {
  const bots = state.users.filter((u) => u.is_bot).map((u) => `@${u.name}`);
  return current()?.is_im || bots.some((name) => what.text.includes(name));
}

async function refresh() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    do {
      again = false;
      const answer = await fetch(`/page/state?user=${encodeURIComponent(place.user)}`);
      state = await answer.json();
      draw();
    } while (again);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;  // the server is away: the stream of changes tells when it is back
  } finally { asking = false; }
}

const current = () => state.channels.find((c) => c.id === place.channel);
const person = (id) => state.users.find((u) => u.id === id);
const isHome = () => place.channel === HOME;

function go(channel, thread = null) {
  place.channel = channel;
  place.thread = thread;
  history.replaceState(null, "", "#" + [channel, thread].filter(Boolean).join("/"));
  if (channel === HOME) act({ verb: "home" });
  draw();
  $("messages").scrollTop = $("messages").scrollHeight;
}

// Redraw the children of a list only where their data differ, so that menus and scrolling stay as they are.
function keep(list, items, make) {
  const old = new Map([...list.children].map((node) => [node.dataset.key, node]));
  const held = document.activeElement?.closest?.("[data-key]");
  const focused = held?.parentElement === list ? [held.dataset.key, document.activeElement.dataset.action] : null;
  const nodes = items.map(({ key, data }) => {
    const text = JSON.stringify(data);
    const before = old.get(key);
    if (before && before.dataset.version === text) return before;
    const node = make(data);
    node.dataset.key = key;
    node.dataset.version = text;
    return node;
  });
  if (nodes.length !== list.children.length || nodes.some((node, index) => node !== list.children[index])) {
    list.replaceChildren(...nodes);
    if (focused && document.activeElement === document.body) refocus(list, ...focused);
  }
}

// A card that is edited under one's finger: the focus stays on the button that took the old one's place.
function refocus(list, key, action) {
  const node = [...list.children].find((one) => one.dataset.key === key);
  const same = action && node?.querySelector(`[data-action="${CSS.escape(action)}"]`);
  (same || node?.querySelector("button[data-action], select"))?.focus({ preventScroll: true });
}

const clock = (ts) => new Date(Number(ts) * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
const day = (ts) => new Date(Number(ts) * 1000).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });

function avatar(user) {
  const node = el("span", { class: "avatar", "aria-hidden": "true" }, user?.is_bot ? "⚡" : (user?.real_name ?? "?")[0]);
  node.style.background = `#${user?.color ?? "888"}`;
  return node;
}

function fileNode(file) {
  const link = el("a", { href: `/page/files/${file.id}`, target: "_blank", dir: "auto" }, file.title);
  if (!file.mimetype.startsWith("image/")) return el("p", { class: "file" }, "File: ", link);
  return el("figure", {}, el("figcaption", {}, link), el("img", { src: `/page/files/${file.id}`, alt: file.title }));
}

const COLORS = { good: "#2eb67d", warning: "#ecb22e", danger: "#e01e5a" };

// An attachment: its blocks, or its text, beside a bar in its colour.
function attachmentNode(given, target) {
  const color = COLORS[given.color] ?? (/^[0-9a-f]{6}$/i.test(given.color ?? "") ? `#${given.color}` : null);
  const inner = given.blocks?.length ? blockNodes(given.blocks, target)
    : [given.pretext, given.title, given.text].filter(Boolean).map((text) => mrkdwn(text, state));
  const node = el("div", { class: "attachment" }, ...inner);
  if (color) node.style.borderInlineStartColor = color;
  return node;
}

function shortcutMenu(message) {
  const offered = state.shortcuts.filter((one) => one.in_messages);
  if (message.ephemeral || !offered.length) return null;
  const menu = el("select", { class: "overflow", "aria-label": "Shortcuts of this message" }, el("option", { value: "" }, "⋯"),
    ...offered.map((one) => el("option", { value: one.name }, one.name)));
  menu.addEventListener("change", () => {
    const name = menu.value;
    menu.value = "";
    if (name) act({ verb: "shortcut", ts: message.ts, name });
  });
  return menu;
}

function messageNode({ message, inThread }) {
  const author = person(message.user);
  const target = { state, act: (block, element, value) => act({ verb: "click", target: message.ts,
    action_id: element.action_id, block_id: block.block_id, value }) };
  const body = message.blocks?.length && message.blocks.some((b) => b.type !== "rich_text" || message.bot_id)
    ? blockNodes(message.blocks, target) : message.text ? [mrkdwn(message.text, state)] : [];
  body.push(...(message.attachments ?? []).map((one) => attachmentNode(one, target)));
  if (message.edited && !message.blocks?.length) body.push(el("span", { class: "edited" }, "(edited)"));
  body.push(...message.files.map(fileNode));
  for (const reaction of message.reactions ?? []) {
    body.push(el("span", { class: "reaction" }, mrkdwn(`:${reaction.name}:`, state), ` ${reaction.count}`));
  }
  const marks = [];
  if (message.ephemeral) marks.push(el("p", { class: "only" }, "Only visible to you"));
  if (message.broadcast) {
    marks.push(el("p", { class: "only" }, inThread ? "Also sent to the channel" : "replied to a thread: ",
      inThread ? null : el("button", { type: "button", class: "link",
        on: { click: () => go(message.channel, message.thread_ts) } }, "open it")));
  }
  const dismiss = message.ephemeral ? el("button", { type: "button", class: "link",
    on: { click: () => act({ verb: "dismiss", ts: message.ts }) } }, "Dismiss") : null;
  const replies = !inThread && message.reply_count ? el("button", { type: "button", class: "replies",
    on: { click: () => go(message.channel, message.ts) } },
    `${message.reply_count} ${message.reply_count === 1 ? "reply" : "replies"}`,
    el("small", {}, ` last at ${clock(message.latest_reply)}`)) : null;
  const reply = message.ephemeral ? null : el("span", { class: "reply" },
    inThread ? null : el("button", { type: "button", class: "quiet", title: "Reply in a thread",
      on: { click: () => go(message.channel, message.thread_ts ?? message.ts) } }, "Reply"),
    shortcutMenu(message));
  return el("article", { class: message.ephemeral ? "message ephemeral" : "message", "data-ts": message.ts },
    avatar(author),
    el("div", { class: "content" }, ...marks,
      el("p", { class: "by" }, el("strong", {}, author?.real_name ?? message.user),
        author?.is_bot ? el("span", { class: "app" }, "APP") : null,
        el("time", { title: day(message.ts) }, clock(message.ts))),
      ...body, replies, dismiss),
    reply);
}

function drawList(list, messages, inThread, days) {
  const near = list.scrollHeight - list.scrollTop - list.clientHeight < 120;
  const items = [];
  let last = null;
  for (const message of messages) {
    const data = { message: { ...message, channel: place.channel }, inThread };
    if (days && day(message.ts) !== last) {
      last = day(message.ts);
      items.push({ key: `day ${last}`, data: { day: last } });
    }
    items.push({ key: message.ts, data });
  }
  keep(list, items, (data) => (data.day ? el("p", { class: "day" }, el("span", {}, data.day)) : messageNode(data)));
  if (near) list.scrollTop = list.scrollHeight;
}

function drawSide() {
  $("team").textContent = state.team;
  $("link").textContent = state.connected ? "● the app is connected" : "○ the app is not connected";
  $("link").className = state.connected ? "up" : "down";
  keep($("user"), state.users.filter((u) => !u.is_bot).map((u) => ({ key: u.id, data: u })),
    (u) => el("option", { value: u.id }, `${u.real_name} (@${u.name})`));
  $("user").value = state.user;
  const entry = (channel) => {
    const last = channel.messages.at(-1)?.ts ?? "0";
    if (channel.id === place.channel) seen.set(channel.id, last);
    return { key: channel.id, data: { id: channel.id, here: channel.id === place.channel,
      name: channel.is_im ? "Messages with Chargehand" : `# ${channel.name}`, archived: channel.is_archived,
      fresh: Number(last) > Number(seen.get(channel.id) ?? 0) } };
  };
  const node = (one) => el("li", {}, el("button", { type: "button", "data-channel": one.id,
    "aria-current": one.here ? "page" : null, class: one.fresh ? "fresh" : "",
    on: { click: () => go(one.id) } }, one.name, one.archived ? " (archived)" : ""));
  keep($("channels"), state.channels.filter((c) => !c.is_im).map(entry), node);
  keep($("apps"), [{ key: HOME, data: { id: HOME, name: "⚡ Chargehand · Home", here: isHome() } },
    ...state.channels.filter((c) => c.is_im).map(entry)], node);
}

function drawHome() {
  $("title").textContent = "Chargehand";
  $("topic").textContent = "Home";
  const view = state.home;
  const items = view
    ? [{ key: view.hash, data: { hash: view.hash, id: view.id, blocks: view.blocks } }]
    : [{ key: "none", data: null }];
  keep($("messages"), items, (data) => {
    if (!data) return el("p", { class: "empty" }, "The app has not published its Home tab yet.");
    return el("div", { class: "home" }, ...blockNodes(data.blocks, { state, act: (block, element, value) =>
      act({ verb: "click", target: data.id, action_id: element.action_id, block_id: block.block_id, value }) }));
  });
}

function drawThread(channel) {
  const open = Boolean(channel && place.thread);
  $("thread").hidden = !open;
  document.body.classList.toggle("threaded", open);
  if (open) {
    const of = channel.messages.filter((m) => m.ts === place.thread || m.thread_ts === place.thread);
    drawList($("replies"), of, true, false);
  }
}

function draw() {
  if (!state) return;
  place.user = state.user;
  if (!place.channel) {
    [place.channel, place.thread = null] = decodeURIComponent(location.hash.slice(1)).split("/");
    if (!current() && !isHome()) [place.channel, place.thread] = [state.channels[0].id, null];
  }
  drawSide();
  $("composer").hidden = isHome();
  const channel = current();
  if (isHome()) drawHome();
  else {
    $("title").textContent = channel.is_im ? "Messages with Chargehand" : `# ${channel.name}`;
    $("topic").textContent = channel.has_bot ? channel.topic : `${channel.topic} · the app is not a member`;
    $("text").placeholder = `Message #${channel.name || "Chargehand"}, or ${state.commands[0]} help`;
    const shown = channel.messages.filter((m) => m.broadcast || !m.thread_ts || m.thread_ts === m.ts
      || (m.ephemeral && !m.thread_ts));
    drawList($("messages"), shown, false, true);
  }
  drawThread(channel);
  showModal(state.modal, state, act);
}

function composer(form, field, thread) {
  const draft = `draft:${field.id}`;
  const grow = () => { field.style.height = "auto"; field.style.height = `${field.scrollHeight}px`; };
  const fill = (text) => { field.value = text; sessionStorage.setItem(draft, text); grow(); };
  field.value = sessionStorage.getItem(draft) ?? "";
  field.addEventListener("input", () => fill(field.value));
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    const verb = text.startsWith("/") ? "slash" : "say";
    if (verb === "slash" && thread()) { toast("Slash commands do not work in threads."); return; }
    const typed = field.value;
    fill("");
    const sent = await act({ verb, channel: place.channel, text, thread_ts: thread() });
    if (!sent) fill([typed, field.value].filter(Boolean).join("\n"));
  });
}

composer($("composer"), $("text"), () => null);
composer($("answer"), $("reply"), () => place.thread);
$("unthread").addEventListener("click", () => go(place.channel));
$("user").addEventListener("change", () => {
  place.user = $("user").value;
  sessionStorage.setItem("user", place.user);
  if (isHome()) { state.user = place.user; act({ verb: "home" }); } else refresh();
});
addEventListener("hashchange", () => { place.channel = null; draw(); });

drawPanel($("panel"), toast);
$("panel").addEventListener("toggle", () => { if ($("panel").open) drawPanel($("panel"), toast); });

const changes = new EventSource("/page/changes");
changes.addEventListener("message", refresh);
