/** Interactive elements. Each draws itself, keeps its entry in the surface's values and tells the app when asked to. */

import { freshId, h, icon, outsideLink, safeUrl } from "./dom.js";
import { confirmDialog } from "./dialogs.js";
import { imageNode } from "./images.js";
import { textObject } from "./mrkdwn.js";
import { moveAmong, openPopup } from "./popup.js";
import { choiceGroups, initialKeys, readChoice } from "./choices.js";
import { selectControl } from "./select.js";

/**
 * Draw one element. `place` tells where it stands: {blockId, surface, input} with `input` = {label, describedBy,
 * optional, dispatches} inside an input block, else absent.
 */
export function element(spec, place) {
  const draw = ELEMENTS[spec.type];
  if (!draw) return h("span", { class: "unknown" }, `[${spec.type}: this element is not drawn here]`);
  return draw(spec, place);
}

const focusKey = (spec, place) => `${place.blockId}/${spec.action_id ?? spec.type}`;
const words = (text) => text?.text ?? "";
const labelOf = (spec, place, otherwise) => place.input?.label ?? (words(spec.placeholder) || otherwise);

// ── Telling the app ─────────────────────────────────────────────────────────

/** Ask first when the element says so, send the action, and show when the app does not answer. False: not sent. */
async function act(node, spec, place, action) {
  const { surface, blockId } = place;
  if (spec.confirm && !(await confirmDialog(spec.confirm, surface.workspace))) return false;
  if (node.getAttribute("aria-busy") === "true") return false;
  const block = node.closest(".block");
  block?.querySelector(".no-answer")?.remove();
  node.setAttribute("aria-busy", "true");
  try {
    await surface.dispatch(blockId, spec, action);
  } catch (error) {
    block?.append(noAnswer(surface.appName, error));
  } finally {
    node.removeAttribute("aria-busy");
  }
  return true;
}

function noAnswer(name, error) {
  return h("p", { class: "no-answer", role: "alert" }, icon("warn", 16), ` ${name} did not respond.`, h("span", { class: "quiet" }, ` ${error.message}`));
}

/** Keep an entry; outside input blocks, or where the block wishes it, the app hears at once. */
async function enter(node, spec, place, entry) {
  const { surface, blockId } = place;
  const before = surface.values.get(blockId, spec.action_id);
  surface.values.set(blockId, spec.action_id, { type: spec.type, ...entry });
  surface.touched?.(blockId);
  if (place.input && !place.input.dispatches) return true;
  const sent = await act(node, spec, place, entry);
  if (!sent && before) surface.values.set(blockId, spec.action_id, before);
  return sent;
}

const opened = (spec, place, initial) => place.surface.values.open(place.blockId, spec.action_id, { type: spec.type, ...initial });

// ── Buttons and menus ───────────────────────────────────────────────────────

function button(spec, place) {
  const style = { primary: " is-primary", danger: " is-danger" }[spec.style] ?? "";
  const props = {
    class: `button${style}`, "aria-label": spec.accessibility_label,
    data: { focusKey: focusKey(spec, place), action: spec.action_id ?? "" },
  };
  const label = textObject(spec.text, place.surface.workspace);
  const action = { value: spec.value };
  if (spec.url && safeUrl(spec.url)) {
    const link = outsideLink(spec.url, label, props);
    link.addEventListener("click", () => act(link, { ...spec, confirm: null }, place, action));
    return link;
  }
  const node = h("button", { type: "button", ...props }, h("span", { class: "button-label" }, label));
  node.addEventListener("click", () => act(node, spec, place, action));
  return node;
}

function overflow(spec, place) {
  const node = h(
    "button",
    { type: "button", class: "button is-icon", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": "More actions", data: { focusKey: focusKey(spec, place), action: spec.action_id ?? "" } },
    icon("more", 20),
  );
  node.addEventListener("click", () => {
    if (node.getAttribute("aria-expanded") === "true") return;
    const menu = h("div", { role: "menu", class: "menu", "aria-label": "More actions" });
    const popup = openPopup(node, menu, { width: 180 });
    for (const option of spec.options ?? []) menu.append(overflowItem(option, spec, place, node, popup));
    moveAmong(menu, "[role=menuitem]");
    menu.firstElementChild?.focus();
  });
  return node;
}

function overflowItem(option, spec, place, node, popup) {
  const content = [h("span", {}, textObject(option.text, place.surface.workspace)), description(option, place)];
  const choose = () => {
    popup.close();
    act(node, spec, place, { selected_option: option });
  };
  const props = { class: "menu-item", role: "menuitem", tabindex: "-1", on: { click: choose } };
  return option.url && safeUrl(option.url) ? outsideLink(option.url, content, props) : h("button", { type: "button", ...props }, content);
}

function description(option, place) {
  return option.description ? h("span", { class: "option-description" }, textObject(option.description, place.surface.workspace)) : null;
}

// ── Selects ─────────────────────────────────────────────────────────────────

function select(spec, place) {
  const multiple = spec.type.startsWith("multi_");
  const groups = choiceGroups(spec, place.surface.workspace);
  const first = readChoice(spec, initialKeys(spec, place.surface.workspace), groups);
  const entry = opened(spec, place, first);
  const control = selectControl({
    groups, multiple, chosen: initialKeys(spec, place.surface.workspace, entry),
    placeholder: words(spec.placeholder) || "Choose an option", label: labelOf(spec, place, "Choose"),
    clearable: place.input?.optional, max: spec.max_selected_items, focusKey: focusKey(spec, place),
    onChange: async (keys) => {
      const before = place.surface.values.get(place.blockId, spec.action_id);
      const sent = await enter(control.node, spec, place, readChoice(spec, keys, groups));
      if (!sent) control.set(initialKeys(spec, place.surface.workspace, before));
    },
  });
  mark(control.node, place, spec);
  return control.node;
}

/** Tie a control to its input block's hint and error. */
function mark(node, place, spec) {
  if (place.input?.describedBy) node.setAttribute("aria-describedby", place.input.describedBy);
  node.dataset.action = spec.action_id ?? "";
  if (spec.focus_on_load) node.dataset.autofocus = "";
  return node;
}

// ── Ticks and dots ──────────────────────────────────────────────────────────

function ticks(spec, place) {
  const many = spec.type === "checkboxes";
  const entry = opened(spec, place, many ? { selected_options: spec.initial_options ?? [] } : { selected_option: spec.initial_option ?? null });
  const isChosen = (option) =>
    many ? entry.selected_options.some((one) => one.value === option.value) : entry.selected_option?.value === option.value;
  const name = freshId("ticks");
  const group = h("div", { class: "ticks", role: many ? "group" : "radiogroup", "aria-label": labelOf(spec, place, many ? "Options" : "One of") });
  const boxes = (spec.options ?? []).map((option, index) => {
    const box = h("input", { type: many ? "checkbox" : "radio", name, prop: { checked: isChosen(option) }, data: { focusKey: `${focusKey(spec, place)}/${index}` } });
    box.addEventListener("change", () => {
      const chosen = boxes.filter(({ box: { checked } }) => checked).map((one) => one.option);
      enter(group, spec, place, many ? { selected_options: chosen } : { selected_option: chosen[0] ?? null });
    });
    const label = h("label", { class: "tick" }, box, h("span", {}, textObject(option.text, place.surface.workspace), description(option, place)));
    return { box, option, label };
  });
  group.append(...boxes.map(({ label }) => label));
  return mark(group, place, spec);
}

// ── Dates and times: the browser's own pickers, which every reader's device knows how to show ──────────

const pad = (part) => String(part).padStart(2, "0");

function localStamp(unix) {
  const date = new Date(unix * 1000);
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day}T${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

const PICKERS = {
  datepicker: { type: "date", label: "Date", first: (spec) => ({ selected_date: spec.initial_date ?? null }), show: (entry) => entry.selected_date, read: (value) => ({ selected_date: value || null }) },
  timepicker: { type: "time", label: "Time", first: (spec) => ({ selected_time: spec.initial_time ?? null }), show: (entry) => entry.selected_time, read: (value) => ({ selected_time: value || null }) },
  datetimepicker: {
    type: "datetime-local", label: "Date and time",
    first: (spec) => ({ selected_date_time: spec.initial_date_time ?? null }),
    show: (entry) => entry.selected_date_time && localStamp(entry.selected_date_time),
    read: (value) => ({ selected_date_time: value ? Math.floor(new Date(value).getTime() / 1000) : null }),
  },
};

// A date typed by keyboard changes with every digit; the app hears when the typing pauses.
const TYPING_PAUSE_MS = 700;

function picker(spec, place) {
  const kind = PICKERS[spec.type];
  const entry = opened(spec, place, kind.first(spec));
  const node = h("input", { type: kind.type, class: "field is-picker", "aria-label": labelOf(spec, place, kind.label), data: { focusKey: focusKey(spec, place) } });
  node.value = kind.show(entry) ?? "";
  let pause = 0;
  node.addEventListener("change", () => {
    clearTimeout(pause);
    const tell = () => enter(node, spec, place, kind.read(node.value));
    if (place.input && !place.input.dispatches) tell();
    else pause = setTimeout(tell, TYPING_PAUSE_MS);
  });
  return mark(node, place, spec);
}

// ── Text ────────────────────────────────────────────────────────────────────

const INPUT_TYPES = { plain_text_input: "text", number_input: "text", email_text_input: "email", url_text_input: "url" };

function textInput(spec, place) {
  const entry = opened(spec, place, { value: spec.initial_value ?? null });
  const common = {
    class: "field", placeholder: words(spec.placeholder) || null, maxlength: spec.max_length, autocomplete: "off",
    "aria-label": labelOf(spec, place, "Text"), data: { focusKey: focusKey(spec, place) },
  };
  const node = spec.multiline
    ? h("textarea", { ...common, rows: 4 })
    : h("input", { ...common, type: INPUT_TYPES[spec.type], inputmode: spec.type === "number_input" ? "decimal" : null });
  node.value = entry.value ?? "";
  const triggers = spec.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  const keep = () => place.surface.values.set(place.blockId, spec.action_id, { type: spec.type, value: node.value || null });
  node.addEventListener("input", () => {
    place.surface.touched?.(place.blockId);
    if (place.input?.dispatches && triggers.includes("on_character_entered")) enter(node, spec, place, { value: node.value || null });
    else keep();
  });
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || (spec.multiline && !event.metaKey && !event.ctrlKey)) return;
    if (!place.input?.dispatches || !triggers.includes("on_enter_pressed")) return;
    event.preventDefault();
    enter(node, spec, place, { value: node.value || null });
  });
  return mark(node, place, spec);
}

const SELECTS = ["static", "external", "users", "conversations", "channels"].flatMap((kind) => [`${kind}_select`, `multi_${kind}_select`]);

const ELEMENTS = {
  button,
  overflow,
  checkboxes: ticks,
  radio_buttons: ticks,
  image: (spec) => imageNode(spec, "accessory-image"),
  ...Object.fromEntries(SELECTS.filter((type) => !type.includes("external")).map((type) => [type, select])),
  ...Object.fromEntries(Object.keys(PICKERS).map((type) => [type, picker])),
  ...Object.fromEntries(Object.keys(INPUT_TYPES).map((type) => [type, textInput])),
};

/** Why an entry cannot be submitted, or null: the checks Slack's own client makes before it asks the app. */
export function complaint(spec, entry, optional) {
  if (isEmpty(entry)) return optional ? null : "Please complete this required field.";
  const value = entry.value;
  if (spec.min_length && value.length < spec.min_length) return `Please write at least ${spec.min_length} characters.`;
  if (spec.type === "number_input") return numberComplaint(spec, value);
  if (spec.type === "email_text_input" && !/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(value)) return "Please enter an email address.";
  if (spec.type === "url_text_input" && !safeUrl(value)) return "Please enter a link, beginning with https://.";
  return null;
}

function numberComplaint(spec, value) {
  const figure = Number(value);
  if (Number.isNaN(figure)) return "Please enter a number.";
  if (!spec.is_decimal_allowed && !Number.isInteger(figure)) return "Please enter a whole number.";
  if (spec.min_value !== undefined && figure < Number(spec.min_value)) return `Must be at least ${spec.min_value}.`;
  if (spec.max_value !== undefined && figure > Number(spec.max_value)) return `Must be at most ${spec.max_value}.`;
  return null;
}

function isEmpty(entry) {
  const held = Object.entries(entry ?? {}).find(([key]) => key !== "type")?.[1];
  return held === null || held === undefined || held === "" || (Array.isArray(held) && !held.length);
}
