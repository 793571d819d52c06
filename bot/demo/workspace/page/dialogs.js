/** Small dialogs: "are you sure", and a message as the app sent it. */

import { freshId, h, icon } from "./dom.js";
import { textObject } from "./mrkdwn.js";

/** Show a native modal dialog; it is gone from the page once closed, with the focus back where it was. */
export function showDialog(node) {
  const before = document.activeElement;
  document.body.append(node);
  node.addEventListener("close", () => {
    node.remove();
    if (before?.isConnected) before.focus();
  });
  node.showModal();
  return node;
}

/** Ask a confirmation object's question. Resolves to whether it was confirmed. */
export function confirmDialog(confirm, workspace) {
  return new Promise((resolve) => {
    const title = freshId("title");
    const cancel = h("button", { type: "button", class: "button" }, confirm.deny?.text ?? "Cancel");
    const style = confirm.style === "danger" ? "is-danger-filled" : "is-primary";
    const agree = h("button", { type: "button", class: `button ${style}` }, confirm.confirm?.text ?? "Yes");
    const dialog = h(
      "dialog",
      { class: "dialog is-small", "aria-labelledby": title },
      h("div", { class: "dialog-head" }, h("h2", { id: title }, confirm.title?.text ?? "Are you sure?")),
      h("div", { class: "dialog-body" }, textObject(confirm.text, workspace)),
      h("div", { class: "dialog-foot" }, cancel, agree),
    );
    let answer = false;
    agree.addEventListener("click", () => ((answer = true), dialog.close()));
    cancel.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => resolve(answer));
    showDialog(dialog);
    agree.focus();
  });
}

/** Show the JSON of a message, for those who write its blocks. */
export function payloadDialog(message) {
  const title = freshId("title");
  const json = JSON.stringify(message, null, 2);
  const copy = h("button", { type: "button", class: "button" }, "Copy");
  copy.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(json);
    copy.textContent = "Copied";
  });
  const close = h("button", { type: "button", class: "icon-button", "aria-label": "Close" }, icon("close"));
  const dialog = h(
    "dialog",
    { class: "dialog is-wide", "aria-labelledby": title },
    h("div", { class: "dialog-head" }, h("h2", { id: title }, "The message as it was sent"), close),
    h("div", { class: "dialog-body" }, h("pre", { class: "payload", tabindex: "0", "aria-label": "JSON" }, json)),
    h("div", { class: "dialog-foot" }, copy),
  );
  close.addEventListener("click", () => dialog.close());
  showDialog(dialog);
}
