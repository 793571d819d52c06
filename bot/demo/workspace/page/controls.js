/** The demo's levers: break something, see what Tocsin says. */

import { api } from "./api.js";
import { h, icon, reconcile } from "./dom.js";

/** The list of controls; pressing one asks the server and shows its answer. */
export function drawControls(workspace, { onProblem }) {
  if (!workspace.controls.length) return h("p", { class: "quiet" }, "Nothing to break here: the workspace runs without the demo service.");
  return h("ul", { class: "levers" }, workspace.controls.map((control) => h("li", {}, lever(control, onProblem))));
}

function lever(control, onProblem) {
  const isToggle = control.kind === "toggle";
  const on = control.state === "on";
  const button = h(
    "button",
    {
      type: "button", class: `lever ${on ? "is-on" : ""}`, role: isToggle ? "switch" : null, "aria-checked": isToggle ? String(on) : null,
      "aria-busy": control.state === "busy" || null, data: { focusKey: `control/${control.id}`, control: control.id },
    },
    h("span", { class: "lever-words" }, h("span", { class: "lever-label" }, control.label), control.description && h("span", { class: "lever-description" }, control.description)),
    h("span", { class: isToggle ? "lever-switch" : "lever-push", "aria-hidden": "true" }, isToggle ? "" : icon("chevron", 16)),
  );
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    try {
      await api.control(control.id);
    } catch (error) {
      onProblem(error.message);
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
  return button;
}

/** Draw into a holder, the focus staying on the control that has it. */
export function refreshControls(holder, workspace, options) {
  const focused = holder.contains(document.activeElement) && document.activeElement.dataset.focusKey;
  reconcile(holder, [drawControls(workspace, options)]);
  if (focused) [...holder.querySelectorAll("[data-focus-key]")].find((node) => node.dataset.focusKey === focused)?.focus();
}
