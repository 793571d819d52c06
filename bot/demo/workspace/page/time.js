/** Moments as people read them, in the reader's own time zone. */

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "numeric" }).resolvedOptions().hourCycle ?? "h12";
const DAY = 86_400_000;

const part = (options) => new Intl.DateTimeFormat("en-US", options);
const clock = part({ hour: "numeric", minute: "2-digit", hourCycle: CLOCK });
const clockSeconds = part({ hour: "numeric", minute: "2-digit", second: "2-digit", hourCycle: CLOCK });
const full = part({ weekday: "long", month: "long", day: "numeric", year: "numeric" });
const long = part({ weekday: "long", month: "long", day: "numeric" });

/** The moment of a Slack timestamp ("1700000000.000100") or of unix seconds. */
export const moment = (seconds) => new Date(Number.parseFloat(seconds) * 1000);

export const timeOfDay = (date) => clock.format(date);

/** Everything, for a tooltip: day, time with seconds, zone. */
export function fullMoment(date) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `${full.format(date)} at ${clockSeconds.format(date)} (${zone})`;
}

/** Whole days from `date` until today, by the calendar. */
function daysAgo(date, now) {
  const midnight = (day) => new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime();
  return Math.round((midnight(now) - midnight(date)) / DAY);
}

const RELATIVE = { 0: "Today", 1: "Yesterday", [-1]: "Tomorrow" };

/** A day as its divider names it. */
export function dayName(date, now = new Date()) {
  const near = RELATIVE[daysAgo(date, now)];
  if (near && near !== "Tomorrow") return near;
  return `${date.getFullYear() === now.getFullYear() ? long.format(date) : full.format(date)}`;
}

/** How long ago, in words. */
export function ago(date, now = new Date()) {
  const seconds = Math.round((date - now) / 1000);
  const format = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  for (const [unit, size] of [["day", 86_400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return format.format(Math.round(seconds / size), unit);
  }
  return "just now";
}

function ordinal(day) {
  if (day % 100 >= 11 && day % 100 <= 13) return `${day}th`;
  return `${day}${{ 1: "st", 2: "nd", 3: "rd" }[day % 10] ?? "th"}`;
}

/**
 * The tokens of `<!date^…>`:
 * https://docs.slack.dev/messaging/formatting-message-text/#date-formatting
 */
function tokens(date, now) {
  const name = (options) => part(options).format(date);
  const sameYear = date.getFullYear() === now.getFullYear();
  const year = sameYear ? "" : `, ${date.getFullYear()}`;
  const day = ordinal(date.getDate());
  const num = `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;
  const short = `${name({ month: "short" })} ${date.getDate()}${year}`;
  const middle = `${name({ month: "long" })} ${day}${year}`;
  const whole = `${name({ weekday: "long" })}, ${middle}`;
  const near = RELATIVE[daysAgo(date, now)];
  return {
    date_num: num, date_slash: num.replaceAll("-", "/"), date: middle, date_short: short, date_long: whole,
    date_pretty: near ?? middle, date_short_pretty: near ?? short, date_long_pretty: near ?? whole,
    time: clock.format(date), time_secs: clockSeconds.format(date), ago: ago(date, now),
    day_divider_pretty: dayName(date, now),
  };
}

/** Fill a date format. A relative word that does not open the sentence is written small, as Slack does. */
export function formatDate(date, format, now = new Date()) {
  const values = tokens(date, now);
  return format.replace(/\{(\w+)\}/g, (whole, key, offset) => {
    const value = values[key] ?? whole;
    return offset > 0 && key.endsWith("_pretty") && /^(Today|Yesterday|Tomorrow)$/.test(value) ? value.toLowerCase() : value;
  });
}
