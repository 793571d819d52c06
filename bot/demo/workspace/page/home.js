/** An app: its Home tab, and the direct messages with it. */

import { api } from "./api.js";
import { drawBlocks } from "./blocks.js";
import { h } from "./dom.js";
import { Values } from "./values.js";

// The app publishes after it has acknowledged that the tab was opened.
const PATIENCE_MS = 2000;

/** The Home tab of the app; the app is told each time it is opened. */
export class HomeTab {
  #workspace;
  #values = new Values();
  #id = null;

  constructor(workspace, app) {
    this.#workspace = workspace;
    this.app = app;
    this.content = h("div", { class: "home-content" });
    this.node = h("div", { class: "home", tabindex: "0", role: "region", "aria-label": `Home of ${app.name}` }, this.content);
    this.#say("Opening…");
  }

  #say(text) {
    this.content.replaceChildren(h("p", { class: "quiet home-note" }, text));
  }

  async open() {
    if (this.#workspace.home) this.draw(this.#workspace.home);
    try {
      await api.home(this.#workspace.me);
      setTimeout(() => this.#workspace.home ?? this.#say(`${this.app.name} has not published a home page yet. It appears here as soon as it does.`), PATIENCE_MS);
    } catch (error) {
      if (!this.#workspace.home) this.#say(`${this.app.name} did not respond. ${error.message}`);
    }
  }

  draw(view) {
    if (view.id && view.id !== this.#id) {
      this.#values = new Values();
      this.#id = view.id;
    }
    this.#values.keepOnly(new Set((view.blocks ?? []).map((block) => block.block_id)));
    const focused = this.content.contains(document.activeElement) && document.activeElement.dataset.focusKey;
    this.content.replaceChildren(...drawBlocks(view.blocks, this.#surface(view)));
    if (focused) [...this.content.querySelectorAll("[data-focus-key]")].find((node) => node.dataset.focusKey === focused)?.focus();
  }

  #surface(view) {
    const workspace = this.#workspace;
    const values = this.#values;
    return {
      kind: "home", workspace, values, appName: this.app.name,
      dispatch: (blockId, spec, action) =>
        api.action({
          user: workspace.me, container: { type: "view", view_id: view.id }, block_id: blockId,
          action_id: spec.action_id, action, state: { values: values.toJSON() },
        }),
    };
  }
}
