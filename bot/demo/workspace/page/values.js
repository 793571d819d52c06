/** What people have entered on one surface: Slack's `state.values`, by block and action. */

export class Values {
  #byBlock = new Map();

  /** The entry of an element; `initial` becomes it when there is none yet. */
  open(blockId, actionId, initial) {
    const block = this.#block(blockId);
    if (!block.has(actionId)) block.set(actionId, initial);
    return block.get(actionId);
  }

  set(blockId, actionId, entry) {
    this.#block(blockId).set(actionId, entry);
  }

  get(blockId, actionId) {
    return this.#byBlock.get(blockId)?.get(actionId);
  }

  /** Forget the blocks that are no longer shown: what is asked again is asked afresh. */
  keepOnly(blockIds) {
    for (const id of this.#byBlock.keys()) if (!blockIds.has(id)) this.#byBlock.delete(id);
  }

  toJSON() {
    return Object.fromEntries([...this.#byBlock].map(([id, block]) => [id, Object.fromEntries(block)]));
  }

  #block(id) {
    if (!this.#byBlock.has(id)) this.#byBlock.set(id, new Map());
    return this.#byBlock.get(id);
  }
}
