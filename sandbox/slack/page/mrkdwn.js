// Slack's mrkdwn, rich text and emoji names as DOM nodes. Everything from outside becomes a text node: no markup of a
// message is ever given to the HTML parser.

const EMOJI = {
  white_check_mark: "✅", x: "❌", warning: "⚠️", rotating_light: "🚨", zap: "⚡", electric_plug: "🔌", bell: "🔔",
  no_bell: "🔕", car: "🚗", battery: "🔋", hourglass: "⌛", hourglass_flowing_sand: "⏳",
  information_source: "ℹ️", eyes: "👀", tada: "🎉", "+1": "👍", thumbsup: "👍", wave: "👋", wrench: "🔧", lock: "🔒",
  unlock: "🔓", chart_with_upwards_trend: "📈", bar_chart: "📊", mag: "🔍", clock3: "🕒", fire: "🔥", zzz: "💤",
  mute: "🔇", stop_sign: "🛑", octagonal_sign: "🛑", pencil2: "✏️", construction: "🚧",
};
// Drawn, not written: status lights must look right on machines without a font of emoji.
const DOTS = {
  red_circle: "red", large_yellow_circle: "yellow", large_green_circle: "green", large_blue_circle: "blue",
  large_orange_circle: "orange", white_circle: "white", black_circle: "black",
  "🔴": "red", "🟡": "yellow", "🟢": "green", "🔵": "blue", "🟠": "orange", "⚪": "white", "⚫": "black",
};
const DOT = new RegExp(`(:(?:${Object.keys(DOTS).filter((k) => /^\w/.test(k)).join("|")}):|[🔴🟡🟢🔵🟠⚪⚫])`, "u");
const URL_START = /^(https?:|mailto:)/i;
const TOKEN = /<([^<>]+)>/g;

export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (key === "class") node.className = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const unescape = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

export const emoji = (text) => text.replace(/:([a-z0-9_+\-]+):/g, (whole, name) => EMOJI[name] ?? whole);

// Text with its emoji names and status lights, as nodes.
export function words(text) {
  return text.split(DOT).map((part) => {
    const color = DOTS[part.replaceAll(":", "")];
    return color && DOT.test(part) ? el("span", { class: `dot ${color}`, role: "img", "aria-label": color })
      : document.createTextNode(emoji(part));
  });
}

export function anchor(url, words) {
  if (!URL_START.test(url)) return document.createTextNode(words);
  return el("a", { href: url, target: "_blank", rel: "noreferrer noopener" }, words);
}

// `<!date^1392734382^{date_short} at {time}|fallback>` in this reader's own zone.
export function date(stamp, format, fallback) {
  const moment = new Date(Number(stamp) * 1000);
  if (Number.isNaN(moment.getTime())) return document.createTextNode(fallback);
  const shown = (options) => new Intl.DateTimeFormat(undefined, options).format(moment);
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(moment).setHours(0, 0, 0, 0)) / 86400000);
  const pretty = { "0": "today", "1": "yesterday", "-1": "tomorrow" }[String(days)];
  const short = { day: "numeric", month: "short", year: "numeric" };
  const parts = {
    date_num: moment.toLocaleDateString("sv-SE"),
    date: shown({ day: "numeric", month: "long", year: "numeric" }),
    date_slash: shown({ day: "2-digit", month: "2-digit", year: "numeric" }),
    date_short: shown(short),
    date_long: shown({ weekday: "long", ...short, month: "long" }),
    date_pretty: pretty ?? shown({ day: "numeric", month: "long", year: "numeric" }),
    date_short_pretty: pretty ?? shown(short),
    date_long_pretty: pretty ?? shown({ weekday: "long", ...short, month: "long" }),
    time: shown({ hour: "2-digit", minute: "2-digit", hour12: false }),
    time_secs: shown({ hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }),
    ago: days > 0 ? `${days} d ago` : `${Math.max(0, Math.round((Date.now() - moment) / 60000))} min ago`,
  };
  const words = format.replace(/\{(\w+)\}/g, (whole, name) => parts[name] ?? whole);
  return el("time", { datetime: moment.toISOString(), title: moment.toString() }, words);
}

function mention(state, sign, found, fallback) {
  return el("span", { class: "mention" }, sign + (found ?? fallback));
}

// One `<...>` of Slack: a link, a mention, a date.
function special(inside, state) {
  const [head, ...rest] = inside.split("|");
  const label = rest.length ? unescape(rest.join("|")) : null;
  if (head.startsWith("@")) {
    const id = head.slice(1);
    return mention(state, "@", state.users.find((u) => u.id === id)?.name, label ?? id);
  }
  if (head.startsWith("#")) {
    const id = head.slice(1);
    return mention(state, "#", state.channels.find((c) => c.id === id)?.name, label ?? id);
  }
  if (head.startsWith("!subteam^")) {
    const id = head.split("^")[1];
    return mention(state, "@", state.groups.find((g) => g.id === id)?.handle, label ?? id);
  }
  if (head.startsWith("!date^")) {
    const [, stamp, format, link] = head.split("^");
    const shown = date(stamp, unescape(format ?? ""), label ?? "");
    return link && URL_START.test(link) ? el("a", { href: link, rel: "noreferrer noopener" }, shown) : shown;
  }
  if (["!here", "!channel", "!everyone"].includes(head)) {
    return el("span", { class: "mention loud" }, "@" + head.slice(1));
  }
  return anchor(unescape(head), label ?? unescape(head));
}

// Bold, italic, strike and code: pairs of marks at word borders, the innermost kept as text.
const STYLES = [
  ["strong", /(^|[\s(\[{"'.,:;!?_~-])\*(?=\S)([^*\n]*[^\s*])\*(?=$|[\s)\]}"'.,:;!?_~-])/],
  ["em", /(^|[\s(\[{"'.,:;!?*~-])_(?=\S)([^_\n]*[^\s_])_(?=$|[\s)\]}"'.,:;!?*~-])/],
  ["s", /(^|[\s(\[{"'.,:;!?*_-])~(?=\S)([^~\n]*[^\s~])~(?=$|[\s)\]}"'.,:;!?*_-])/],
];

function styled(text, state) {
  for (const [tag, pattern] of STYLES) {
    const found = pattern.exec(text);
    if (found) {
      const start = found.index + found[1].length;
      const end = found.index + found[0].length;
      return [...styled(text.slice(0, start), state), el(tag, {}, ...styled(found[2], state)),
        ...styled(text.slice(end), state)];
    }
  }
  return tokens(text, state);
}

function tokens(text, state) {
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(TOKEN)) {
    if (found.index > from) nodes.push(...words(unescape(text.slice(from, found.index))));
    nodes.push(special(found[1], state));
    from = found.index + found[0].length;
  }
  if (from < text.length) nodes.push(...words(unescape(text.slice(from))));
  return nodes;
}

// A code span keeps what is in it as it is, and may itself stand in bold: it is set aside while styles are looked for.
const ASIDE = /(\uE000\d+\uE001)/;

function inline(text, state) {
  const spans = [];
  const rest = text.replaceAll(/[\uE000\uE001]/g, "").replace(/`([^`\n]+)`/g, (_, inner) => `\uE000${spans.push(inner) - 1}\uE001`);
  const expand = (node) => {
    if (node.nodeType !== Node.TEXT_NODE) {
      node.replaceChildren(...[...node.childNodes].flatMap(expand));
      return [node];
    }
    return node.data.split(ASIDE).filter(Boolean).map((part) => (ASIDE.test(part)
      ? el("code", {}, ...tokens(spans[Number(part.slice(1, -1))], state)) : document.createTextNode(part)));
  };
  return styled(rest, state).flatMap(expand);
}

export function mrkdwn(text, state) {
  const root = el("div", { class: "mrkdwn", dir: "auto" });
  for (const [index, part] of text.split("```").entries()) {
    if (index % 2) {
      root.append(el("pre", {}, ...tokens(part.replace(/^\n/, ""), state)));
      continue;
    }
    let quote = null;
    for (const [number, line] of part.split("\n").entries()) {
      if (/^(&gt;|>)\s?/.test(line)) {
        quote ??= root.appendChild(el("blockquote"));
        if (quote.childNodes.length) quote.append(el("br"));
        quote.append(...inline(line.replace(/^(&gt;|>)\s?/, ""), state));
        continue;
      }
      if (number > 0 && quote === null) root.append(el("br"));
      quote = null;
      root.append(...inline(line, state));
    }
  }
  return root;
}

export function textObject(given, state) {
  if (given.type === "mrkdwn") return mrkdwn(given.text, state);
  return el("div", { class: "plain", dir: "auto" }, ...words(given.text));
}

function richElement(given, state) {
  const look = given.style ?? {};
  let node;
  switch (given.type) {
    case "text": node = document.createTextNode(given.text); break;
    case "link": node = anchor(given.url, given.text ?? given.url); break;
    case "emoji": node = el("span", {}, ...words(`:${given.name}:`)); break;
    case "user": node = special("@" + given.user_id, state); break;
    case "channel": node = special("#" + given.channel_id, state); break;
    case "usergroup": node = special("!subteam^" + given.usergroup_id, state); break;
    case "broadcast": node = special("!" + given.range, state); break;
    case "date": node = date(given.timestamp, given.format, given.fallback ?? ""); break;
    default: node = document.createTextNode(given.text ?? "");
  }
  for (const [key, tag] of [["code", "code"], ["bold", "strong"], ["italic", "em"], ["strike", "s"]]) {
    if (look[key]) node = el(tag, {}, node);
  }
  return node;
}

export function richText(block, state) {
  const one = (given) => {
    const inner = given.type === "rich_text_list"
      ? given.elements.map((item) => el("li", {}, one(item)))
      : given.elements.map((item) => richElement(item, state));
    const tag = { rich_text_list: given.style === "ordered" ? "ol" : "ul", rich_text_preformatted: "pre",
      rich_text_quote: "blockquote" }[given.type] ?? "div";
    return el(tag, { class: "rich" }, ...inner);
  };
  return el("div", { dir: "auto" }, ...block.elements.map(one));
}
