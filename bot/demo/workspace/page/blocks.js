/** Layout blocks. https://docs.slack.dev/reference/block-kit/blocks */

import { freshId, h, icon } from "./dom.js";
import { chartBlock } from "./charts.js";
import { element } from "./elements.js";
import { imageNode } from "./images.js";
import { markdown } from "./markdown.js";
import { textObject } from "./mrkdwn.js";
import { richText } from "./richtext.js";

/**
 * Draw blocks on a surface: {kind: "message" | "modal" | "home", workspace, appName, values,
 * dispatch(blockId, spec, action), touched?(blockId)}.
 */
export function drawBlocks(blocks, surface) {
  return (blocks ?? []).map((block, index) => drawBlock(block, index, surface));
}

function drawBlock(block, index, surface) {
  const draw = BLOCKS[block.type];
  if (!draw || (block.type === "alert" && surface.kind === "message")) return unknown(block.type);
  const node = draw(block, { blockId: block.block_id ?? `block-${index}`, surface });
  node.dataset.block = block.block_id ?? "";
  return node;
}

function unknown(type) {
  return h("div", { class: "block unknown" }, `A block of type “${type}” is not drawn here.`);
}

const text = (spec, place) => textObject(spec, place.surface.workspace);

function header(block, place) {
  return h("div", { class: "block header", role: "heading", "aria-level": 2 }, text(block.text, place));
}

function section(block, place) {
  const fields = (block.fields ?? []).map((field) => h("div", { class: "field-cell" }, text(field, place)));
  return h(
    "div",
    { class: "block section" },
    h(
      "div",
      { class: "section-body" },
      block.text && h("div", { class: "section-text" }, text(block.text, place)),
      fields.length > 0 && h("div", { class: "fields" }, fields),
    ),
    block.accessory && h("div", { class: "accessory" }, element(block.accessory, place)),
  );
}

function context(block, place) {
  const parts = (block.elements ?? []).map((part) =>
    part.type === "image" ? imageNode(part, "context-image") : h("span", { class: "context-text" }, text(part, place)),
  );
  return h("div", { class: "block context" }, parts);
}

function actions(block, place) {
  return h("div", { class: "block actions", role: "group", "aria-label": "Actions" }, (block.elements ?? []).map((part) => element(part, place)));
}

function image(block, place) {
  return h(
    "figure",
    { class: "block image" },
    block.title && h("figcaption", {}, text(block.title, place)),
    imageNode(block, "block-image"),
  );
}

function input(block, place) {
  const { surface } = place;
  const ids = { hint: freshId("hint"), error: freshId("error") };
  const describedBy = [block.hint && ids.hint, ids.error].filter(Boolean).join(" ");
  const spec = block.element ?? {};
  const control = element(spec, {
    ...place,
    input: { label: block.label?.text ?? "", describedBy, optional: block.optional === true, dispatches: block.dispatch_action === true },
  });
  const isLabelable = control.matches("input, textarea, button");
  if (isLabelable) control.id ||= freshId("control");
  return h(
    "div",
    { class: "block input", data: { input: place.blockId } },
    h(isLabelable ? "label" : "div", { class: "input-label", for: isLabelable ? control.id : null }, textObject(block.label, surface.workspace), block.optional && h("span", { class: "optional" }, " (optional)")),
    control,
    h("div", { class: "input-error", id: ids.error, "aria-live": "polite" }),
    block.hint && h("div", { class: "input-hint", id: ids.hint }, textObject(block.hint, surface.workspace)),
  );
}

// ── Tables ──────────────────────────────────────────────────────────────────

const CELLS = {
  raw_text: (cell) => [cell.text],
  raw_number: (cell) => [cell.text ?? new Intl.NumberFormat("en-US").format(cell.value)],
  rich_text: (cell, place) => [richText(cell, place.surface.workspace)],
};

function table(block, place) {
  const [head = [], ...rows] = block.rows ?? [];
  const settings = block.column_settings ?? [];
  const fill = (tag) => (cell, column) => {
    const { align, is_wrapped: wraps } = settings[column] ?? {};
    const isNumber = cell?.type === "raw_number";
    const classes = [`align-${align ?? (isNumber ? "right" : "left")}`, wraps ? "wraps" : ""].join(" ");
    const isRowHead = tag === "td" && block.row_header_column_index === column;
    return h(isRowHead ? "th" : tag, { class: classes, scope: tag === "th" ? "col" : isRowHead ? "row" : null }, CELLS[cell?.type]?.(cell, place) ?? "");
  };
  return h(
    "div",
    { class: "block table-frame", tabindex: "0", role: "group", "aria-label": block.caption || "Table" },
    h(
      "table",
      {},
      block.caption && h("caption", {}, block.caption),
      h("thead", {}, h("tr", {}, head.map(fill("th")))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map(fill("td"))))),
    ),
  );
}

const ALERT_WORDS = { info: "Information", warning: "Warning", error: "Error", success: "Success" };

function alert(block, place) {
  const level = block.level in ALERT_WORDS ? block.level : "default";
  const sign = { warning: "warn", error: "warn", success: "check" }[level] ?? "bulletin";
  return h(
    "div",
    { class: `block alert is-${level}`, role: "note", "aria-label": ALERT_WORDS[level] ?? "Notice" },
    sign === "bulletin" ? null : icon(sign),
    h("div", {}, text(block.text, place)),
  );
}

const BLOCKS = {
  header,
  section,
  context,
  actions,
  image,
  input,
  table,
  alert,
  data_table: table,
  data_visualization: chartBlock,
  divider: () => h("hr", { class: "block divider" }),
  rich_text: (block, place) => richText(block, place.surface.workspace),
  markdown: (block) => markdown(block.text ?? ""),
};
