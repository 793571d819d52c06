/** Writing: a message, a mention, a slash command. */

import { freshId, h, icon } from "./dom.js";

const MAX_HEIGHT = 220;

/**
 * The box to write in. `send(text)` posts a message in Slack's form and `run(command, text)` a slash command;
 * both reject with what to tell the writer. `run` is absent where commands do not work.
 */
export function composer({ workspace, label, placeholder, send, run }) {
  const ids = { list: freshId("suggestions"), problem: freshId("problem") };
  const box = h("textarea", {
    class: "composer-box", rows: 1, placeholder, "aria-label": label, "aria-haspopup": "listbox", "aria-autocomplete": "list",
    "aria-controls": ids.list, "aria-describedby": ids.problem,
  });
  const problem = h("p", { class: "composer-problem", id: ids.problem, role: "status" });
  const tally = h("span", { class: "visually-hidden", role: "status" });
  const usage = h("p", { class: "composer-usage" });
  const list = h("div", { class: "suggestions", id: ids.list, role: "listbox", "aria-label": "Suggestions", hidden: true });
  const sendButton = h("button", { type: "button", class: "icon-button is-send", "aria-label": "Send", title: "Send", disabled: true }, icon("send"));
  const put = (sign) => h("button", { type: "button", class: "icon-button", "aria-label": sign === "/" ? "Slash commands" : "Mention someone", title: sign === "/" ? "Slash commands" : "Mention someone" }, icon(sign === "/" ? "slash" : "at"));
  const slash = run && put("/");
  const at = put("@");
  let offers = [];
  let lit = 0;

  function fit() {
    box.style.setProperty("height", "auto");
    box.style.setProperty("height", `${Math.min(box.scrollHeight, MAX_HEIGHT)}px`);
    sendButton.disabled = !box.value.trim();
  }

  function suggest() {
    fit();
    problem.textContent = "";
    const before = box.value.slice(0, box.selectionStart);
    offers = run && /^\/\S*$/.test(before) ? commandOffers(before, workspace) : mentionOffers(before, workspace);
    lit = 0;
    const known = run && workspace.commands.find((one) => box.value.startsWith(`${one.command} `));
    usage.textContent = known ? [known.command, known.usage_hint, known.description && `— ${known.description}`].filter(Boolean).join(" ") : "";
    drawOffers();
  }

  function drawOffers() {
    list.hidden = !offers.length;
    tally.textContent = offers.length ? `${offers.length} ${offers.length === 1 ? "suggestion" : "suggestions"}` : "";
    list.replaceChildren(...offers.map(offerRow));
    if (offers.length) box.setAttribute("aria-activedescendant", `${ids.list}-${lit}`);
    else box.removeAttribute("aria-activedescendant");
    list.children[lit]?.scrollIntoView({ block: "nearest" });
  }

  function offerRow(offer, index) {
    return h(
      "div",
      {
        id: `${ids.list}-${index}`, role: "option", class: index === lit ? "suggestion is-active" : "suggestion", "aria-selected": String(index === lit),
        // Keep the caret where it is.
        on: { pointerdown: (event) => event.preventDefault(), click: () => take(offer) },
      },
      h("span", { class: "suggestion-name" }, offer.name, offer.hint && h("span", { class: "quiet" }, ` ${offer.hint}`)),
      offer.detail && h("span", { class: "suggestion-detail" }, offer.detail),
    );
  }

  function take(offer) {
    const caret = box.selectionStart;
    const start = caret - offer.replaces;
    box.setRangeText(`${offer.name} `, start, caret, "end");
    box.focus();
    suggest();
  }

  async function submit() {
    const written = box.value.trim();
    if (!written) return;
    box.value = "";
    suggest();
    try {
      const [, command, rest = ""] = /^(\/\S+)(?:\s+([\s\S]*))?$/.exec(written) ?? [];
      if (command && !run) throw new Error("Slash commands do not work in threads.");
      if (!command) await send(encode(written, workspace));
      else if (!workspace.commands.some((one) => one.command === command)) throw new Error(`${command} is not a command in this workspace.`);
      else await run(command, rest);
    } catch (error) {
      if (!box.value) box.value = written;
      fit();
      problem.textContent = error.message;
    }
  }

  box.addEventListener("input", suggest);
  box.addEventListener("blur", () => ((offers = []), drawOffers()));
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (offers.length && offerKeys(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      submit();
    }
  });

  /** Keys while suggestions are open; true when they were meant for those. */
  function offerKeys(event) {
    const offer = offers[lit];
    const complete = box.value.trim() === offer.name;
    if (event.key === "ArrowDown") lit = (lit + 1) % offers.length;
    else if (event.key === "ArrowUp") lit = (lit - 1 + offers.length) % offers.length;
    else if (event.key === "Escape") offers = [];
    else if (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey && !complete)) {
      event.preventDefault();
      take(offer);
      return true;
    } else return false;
    event.preventDefault();
    event.stopPropagation();
    drawOffers();
    return true;
  }

  function begin(sign) {
    if (sign === "/") box.value = "/";
    else box.setRangeText(/(^|\s)$/.test(box.value.slice(0, box.selectionStart)) ? "@" : " @", box.selectionStart, box.selectionEnd, "end");
    box.focus();
    if (sign === "/") box.setSelectionRange(1, 1);
    suggest();
  }

  sendButton.addEventListener("click", submit);
  slash?.addEventListener("click", () => begin("/"));
  at.addEventListener("click", () => begin("@"));
  const node = h(
    "div",
    { class: "composer" },
    list,
    h("div", { class: "composer-frame" }, box, h("div", { class: "composer-tools" }, slash, at, usage, sendButton)),
    problem,
    tally,
  );
  return { node, focus: () => box.focus(), box };
}

// ── What to offer ───────────────────────────────────────────────────────────

function commandOffers(before, workspace) {
  const wanted = before.toLowerCase();
  return workspace.commands
    .filter((one) => one.command.toLowerCase().startsWith(wanted))
    .map((one) => ({ name: one.command, hint: one.usage_hint, detail: one.description, replaces: before.length }));
}

function mentionOffers(before, workspace) {
  const match = /(?:^|\s)([@#][\w.-]*)$/.exec(before);
  if (!match) return [];
  const token = match[1].toLowerCase();
  return mentionables(workspace)
    .filter(({ name }) => name.toLowerCase().startsWith(token))
    .slice(0, 8)
    .map(({ name, detail }) => ({ name, detail, replaces: token.length }));
}

/** Everything a name in a message can mean, with the form Slack sends it in. */
function mentionables(workspace) {
  const seen = new Set();
  return [
    ...workspace.apps.map((app) => ({ name: `@${workspace.userName(app.bot_user_id)}`, detail: `${app.name} · app`, sent: `<@${app.bot_user_id}>` })),
    ...workspace.users.map((user) => ({ name: `@${workspace.userName(user.id)}`, detail: workspace.realName(user.id), sent: `<@${user.id}>` })),
    ...workspace.usergroups.map((group) => ({ name: `@${group.handle}`, detail: group.name, sent: `<!subteam^${group.id}>` })),
    ...["here", "channel"].map((range) => ({ name: `@${range}`, detail: "Everyone in this channel", sent: `<!${range}>` })),
    ...workspace.channels.filter((one) => !one.is_im).map((one) => ({ name: `#${one.name}`, detail: "", sent: `<#${one.id}|${one.name}>` })),
  ].filter(({ name }) => !seen.has(name) && seen.add(name));
}

const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** What was typed, as Slack's client sends it: the three escapes, and names as the ids they mean. */
export function encode(text, workspace) {
  const known = new Map(mentionables(workspace).map(({ name, sent }) => [name.toLowerCase(), sent]));
  return escape(text).replace(/(^|[\s(])([@#][\w.-]*\w)/g, (whole, lead, name) => {
    const sent = known.get(name.toLowerCase());
    return sent ? lead + sent : whole;
  });
}
