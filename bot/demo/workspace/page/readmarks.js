/** How far each channel has been read, kept in the browser for each person one pretends to be. */

export class ReadMarks {
  #key;
  #marks;
  #mentions = new Map();

  constructor(team, user) {
    this.#key = `tocsin.read.${team}.${user}`;
    try {
      this.#marks = new Map(Object.entries(JSON.parse(localStorage.getItem(this.#key) ?? "{}")));
    } catch {
      this.#marks = new Map();
    }
  }

  upTo(channel) {
    return this.#marks.get(channel) ?? "0";
  }

  unread(channel, latest) {
    return Boolean(latest) && latest > this.upTo(channel);
  }

  /** Note a mention; counted until the channel is read. */
  mention(channel, ts) {
    if (ts <= this.upTo(channel)) return;
    if (!this.#mentions.has(channel)) this.#mentions.set(channel, new Set());
    this.#mentions.get(channel).add(ts);
  }

  mentions(channel) {
    return this.#mentions.get(channel)?.size ?? 0;
  }

  /** Mark a channel read; whether that changed anything. */
  read(channel, ts) {
    const had = this.#mentions.delete(channel);
    if (ts <= this.upTo(channel)) return had;
    this.#marks.set(channel, ts);
    try {
      localStorage.setItem(this.#key, JSON.stringify(Object.fromEntries(this.#marks)));
    } catch {
      // A browser that keeps nothing still shows messages.
    }
    return true;
  }
}
