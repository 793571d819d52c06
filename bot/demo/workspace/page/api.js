/** The page's side of the workspace server: requests, and the stream of what happens. */

/** The server said no, or nothing at all; the message is for people. */
export class RequestFailed extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

async function request(path, init) {
  let response;
  try {
    response = await fetch(`/page-api/${path}`, init);
  } catch {
    throw new RequestFailed("The workspace cannot be reached.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new RequestFailed(reason(answer) ?? `The workspace answered ${response.status}.`, response.status);
  return answer;
}

const get = (path, query = {}) => {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  return request(`${path}?${new URLSearchParams(given)}`);
};

/** Slack's codes are for programs; people get the detail, or the code as words. */
function reason({ detail, error }) {
  return detail ?? (error && `(${error.replaceAll("_", " ")})`);
}

/** Post, and take `ok: false` for the failure it is. */
async function post(path, body = {}) {
  const answer = await send(path, body);
  if (answer.ok === false) throw new RequestFailed(reason(answer) ?? "It was refused.", 200);
  return answer;
}

const send = (path, body = {}) =>
  request(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

export const api = {
  state: (user) => get("state", { user }),
  messages: (user, channel, { before, limit = 50 } = {}) => get("messages", { user, channel, before, limit }),
  replies: (user, channel, ts) => get("replies", { user, channel, ts }),
  say: (body) => post("say", body),
  command: (body) => post("command", body),
  action: (body) => post("action", body),
  submit: (body) => send("submit", body),
  close: (body) => post("close", body),
  home: (user) => post("home", { user }),
  controls: () => get("controls"),
  control: (id) => post(`controls/${encodeURIComponent(id)}`),
};

const RETRY_MS = 1500;

/**
 * Hear everything that happens for `user`. `onOpen(again)` is called on each connection, `onLost` when it breaks.
 * Returns a function that stops listening.
 */
export function listen(user, { onEvent, onOpen, onLost }) {
  let source, timer;
  let opens = 0;
  const connect = () => {
    source = new EventSource(`/page-api/events?${new URLSearchParams({ user })}`);
    source.onopen = () => onOpen((opens += 1) > 1);
    source.onmessage = (event) => onEvent(JSON.parse(event.data));
    source.onerror = () => {
      onLost();
      // The browser tries again by itself unless the server refused.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(connect, RETRY_MS);
    };
  };
  connect();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
