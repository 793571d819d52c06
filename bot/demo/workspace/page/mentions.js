/** People, groups and channels named within a text, drawn alike wherever they occur. */

import { h } from "./dom.js";

/** A person; one's own name stands out. */
export function userMention(id, workspace, label) {
  const mine = id === workspace.me;
  return h("span", { class: mine ? "mention mine" : "mention", data: { user: id } }, `@${label || workspace.userName(id)}`);
}

export function groupMention(id, workspace, label) {
  const group = workspace.usergroup(id);
  const mine = Boolean(group?.users?.includes(workspace.me));
  const name = label?.replace(/^@/, "") || group?.handle || id;
  return h("span", { class: mine ? "mention mine" : "mention", title: group?.name }, `@${name}`);
}

export function broadcastMention(range) {
  return h("span", { class: "mention mine" }, `@${range}`);
}

/** A channel, as a link that opens it when it is one of ours. */
export function channelMention(id, workspace, label) {
  const channel = workspace.channel(id);
  const name = `#${channel?.name ?? label ?? id}`;
  if (!channel) return h("span", { class: "mention" }, name);
  return h("a", { class: "mention", href: `#/${id}` }, name);
}

/** Whether a message calls on me: by name, by group or by calling on everyone. */
export function callsOn(message, workspace) {
  if (message.user === workspace.me) return false;
  const raw = JSON.stringify([message.text, message.blocks, message.attachments]);
  if (raw.includes(`<@${workspace.me}`) || /<!(here|channel|everyone)/.test(raw)) return true;
  if (raw.includes(`"user_id":"${workspace.me}"`) || raw.includes('"type":"broadcast"')) return true;
  return workspace.usergroups.some(
    (group) =>
      group.users?.includes(workspace.me) &&
      (raw.includes(`<!subteam^${group.id}`) || raw.includes(`"usergroup_id":"${group.id}"`)),
  );
}
