/** Choosing from a list: one or several, with a filter, by mouse, finger or keyboard. */

import { freshId, h, icon } from "./dom.js";
import { openPopup } from "./popup.js";

/**
 * A select control. `groups` are [{label, options: [{key, label, description}]}] with label and description
 * as functions that draw nodes and `text` to filter by; `chosen` holds keys. `onChange(keys)` hears each choice.
 */
export function selectControl({ groups, chosen = [], multiple = false, placeholder, label, clearable, max, focusKey, onChange }) {
  let keys = [...chosen];
  const all = groups.flatMap((group) => group.options);
  const find = (key) => all.find((option) => option.key === key);
  const value = h("span", { class: "select-value" });
  const button = h(
    "button",
    { type: "button", class: "select", "aria-haspopup": "listbox", "aria-expanded": "false", data: { focusKey } },
    value,
    icon("chevron", 16),
  );

  function draw() {
    const picked = keys.map(find).filter(Boolean);
    button.classList.toggle("is-empty", !picked.length);
    if (!picked.length) value.replaceChildren(placeholder);
    else if (multiple) value.replaceChildren(...picked.map((option) => h("span", { class: "chip" }, option.draw())));
    else value.replaceChildren(...[picked[0].draw()].flat());
    button.setAttribute("aria-label", `${label}: ${picked.map((option) => option.text).join(", ") || placeholder}`);
  }

  function choose(key) {
    if (!multiple) keys = key === null ? [] : [key];
    else if (keys.includes(key)) keys = keys.filter((other) => other !== key);
    else if (!max || keys.length < max) keys = [...keys, key];
    draw();
    onChange(keys);
  }

  button.addEventListener("click", () => {
    if (button.getAttribute("aria-expanded") === "true") return;
    openList({ button, groups, chosen: () => keys, multiple, clearable: clearable && !multiple, label, choose });
  });
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    button.click();
  });
  draw();
  return { node: button, set: (next) => ((keys = [...next]), draw()) };
}

function openList({ button, groups, chosen, multiple, clearable, label, choose }) {
  const listId = freshId("options");
  const list = h("div", { role: "listbox", id: listId, class: "options", "aria-label": label, "aria-multiselectable": multiple || null });
  const filter = h("input", {
    type: "text", class: "options-filter", placeholder: "Find an option", autocomplete: "off", role: "combobox",
    "aria-expanded": "true", "aria-controls": listId, "aria-autocomplete": "list", "aria-label": `Find an option of ${label}`,
  });
  const popup = openPopup(button, h("div", { class: "select-popup" }, filter, list), { width: 240 });
  let active = 0;

  function pick(key) {
    choose(key);
    if (multiple) fill();
    else popup.close();
  }

  function fill() {
    const wanted = filter.value.trim().toLowerCase();
    const rows = groups.flatMap((group) => {
      const options = group.options.filter((option) => option.text.toLowerCase().includes(wanted));
      if (!options.length) return [];
      return [group.label && h("div", { class: "options-group", role: "presentation" }, group.label()), ...options.map(row)];
    });
    if (clearable && chosen().length && !wanted) rows.unshift(clearRow());
    list.replaceChildren(...rows.filter(Boolean));
    if (!list.querySelector("[role=option]")) list.append(h("div", { class: "options-none" }, "Nothing matches"));
    light(Math.min(active, choices().length - 1));
  }

  const choices = () => [...list.querySelectorAll("[role=option]")];

  function clearRow() {
    return h("div", { role: "option", id: freshId("option"), class: "option is-clear", "aria-selected": "false", on: { click: () => pick(null) } }, "Clear the choice");
  }

  function row(option) {
    const selected = chosen().includes(option.key);
    return h(
      "div",
      { role: "option", id: freshId("option"), class: "option", "aria-selected": String(selected), on: { click: () => pick(option.key) } },
      h("span", { class: "option-mark" }, selected && icon("check", 16)),
      h("span", {}, h("span", { class: "option-label" }, option.draw()), option.describe?.()),
    );
  }

  function light(index) {
    const rows = choices();
    active = Math.max(0, index);
    rows.forEach((item, at) => item.classList.toggle("is-active", at === active));
    rows[active]?.scrollIntoView({ block: "nearest" });
    filter.setAttribute("aria-activedescendant", rows[active]?.id ?? "");
  }

  filter.addEventListener("input", () => ((active = 0), fill()));
  filter.addEventListener("keydown", (event) => {
    const count = choices().length;
    if (event.key === "ArrowDown") light((active + 1) % Math.max(count, 1));
    else if (event.key === "ArrowUp") light((active - 1 + count) % Math.max(count, 1));
    else if (event.key === "Enter") choices()[active]?.click();
    else return;
    event.preventDefault();
  });
  active = Math.max(0, groups.flatMap((group) => group.options).findIndex((option) => chosen().includes(option.key)));
  fill();
  filter.focus();
}
