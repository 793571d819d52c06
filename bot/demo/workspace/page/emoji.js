/** Emoji: the ones a monitoring bot lives by are drawn here, so that they look the same on every machine. */

import { EMOJI } from "./emoji-names.js";
import { h, svg } from "./dom.js";

const c = (fill, r = 8, cx = 10, cy = 10) => ["circle", { cx, cy, r, fill }];
const p = (d, fill) => ["path", { d, fill }];
const s = (d, stroke, width = 1.8) => [
  "path",
  { d, fill: "none", stroke, "stroke-width": width, "stroke-linecap": "round", "stroke-linejoin": "round" },
];
const box = (fill, x = 2, y = 2, width = 16, height = 16, rx = 2.5) => ["rect", { x, y, width, height, rx, fill }];

const RED = "#d92f42", ORANGE = "#ef8a17", YELLOW = "#f2c22c", GREEN = "#46a64d", BLUE = "#3b82d6", PURPLE = "#9b6bd3";
const GREY = "#8a94a0", INK = "#39424d", PAPER = "#f4f6f8", BROWN = "#a1663c", STEEL = "#b6bfc9";
const BELL = "M10 2.500c3.4 0 5.2 2.4 5.2 5.5 0 3.3 1 4.6 2.3 5.700v.8h-15v-.8C3.8 12.6 4.8 11.3 4.8 8c0-3.1 1.8-5.5 5.2-5.500zM8 15.800h4a2 2 0 0 1-4 0z";
const SPEAKER = "M3 7.500h3.500L11 3.500v13l-4.5-4H3z";
const ring = (d) => [c(PAPER), ["circle", { cx: 10, cy: 10, r: 7.6, fill: "none", stroke: INK, "stroke-width": 1.4 }], s(d, INK, 1.5)];
const hourglass = (sand) => [p("M4.5 2h11v1.800h-11zM4.5 16.200h11V18h-11z", BROWN), p("M5.5 3.800h9c0 3.5-3 4.7-3 6.200s3 2.7 3 6.200h-9c0-3.5 3-4.7 3-6.200s-3-2.7-3-6.200z", "#cfe3f4"), p(sand, YELLOW)];
const sheet = [box(PAPER, 3, 2, 13, 16, 1.5), ["rect", { x: 3, y: 2, width: 13, height: 16, rx: 1.5, fill: "none", stroke: STEEL }]];
const chart = (line, colour) => [box(PAPER, 2, 2, 16, 16, 2), ["rect", { x: 2, y: 2, width: 16, height: 16, rx: 2, fill: "none", stroke: STEEL }], s(line, colour, 2)];
const arrow = (d) => [box(BLUE), s(d, "#fff", 2)];
const word = (fill, text, size = 8.5) => [box(fill), ["text", { x: 10, y: 13, "font-size": size, "font-weight": 800, "text-anchor": "middle", fill: "#fff", "font-family": "Arial, sans-serif" }, text]];
const hand = (minutes) => {
  const angle = (turns) => [Math.sin(turns * 2 * Math.PI), -Math.cos(turns * 2 * Math.PI)];
  const [[hx, hy], [mx, my]] = [angle(minutes / 720), angle((minutes % 60) / 60)];
  return ring(`M10 10 ${(10 + 3.4 * hx).toFixed(1)} ${(10 + 3.4 * hy).toFixed(1)}M10 10 ${(10 + 5.5 * mx).toFixed(1)} ${(10 + 5.5 * my).toFixed(1)}`);
};

const ART = {
  red_circle: [c(RED)], large_orange_circle: [c(ORANGE)], large_yellow_circle: [c(YELLOW)],
  large_green_circle: [c(GREEN)], large_blue_circle: [c(BLUE)], large_purple_circle: [c(PURPLE)],
  large_brown_circle: [c(BROWN)], black_circle: [c(INK)],
  white_circle: [c(PAPER), ["circle", { cx: 10, cy: 10, r: 7.5, fill: "none", stroke: STEEL }]],
  large_red_square: [box(RED)], large_orange_square: [box(ORANGE)], large_yellow_square: [box(YELLOW)],
  large_green_square: [box(GREEN)], large_blue_square: [box(BLUE)], large_purple_square: [box(PURPLE)],
  white_large_square: [box(PAPER), ["rect", { x: 2.5, y: 2.5, width: 15, height: 15, rx: 2, fill: "none", stroke: STEEL }]],
  black_large_square: [box(INK)],
  small_red_triangle: [p("M10 4l7 12H3z", RED)], small_red_triangle_down: [p("M10 16 3 4h14z", RED)],
  large_blue_diamond: [p("M10 1.5 18.5 10 10 18.5 1.5 10z", BLUE)], large_orange_diamond: [p("M10 1.5 18.5 10 10 18.5 1.5 10z", ORANGE)],
  small_blue_diamond: [p("M10 5l5 5-5 5-5-5z", BLUE)], small_orange_diamond: [p("M10 5l5 5-5 5-5-5z", ORANGE)],
  warning: [p("M10 2 19 18H1z", YELLOW), s("M10 8v4.5", INK, 2), c(INK, 1.2, 10, 15.4)],
  rotating_light: [p("M5 14V9.500a5 5 0 0 1 10 0V14z", RED), box(INK, 3, 14, 14, 3.5, 1), s("M10 1v1.500M3 4l1.2 1.200M17 4l-1.2 1.2", ORANGE, 1.6), p("M7 14v-4a3 3 0 0 1 2-2.800V14z", "#f28b97")],
  white_check_mark: [box(GREEN), s("m5.5 10.5 3 3 6-7", "#fff", 2.2)],
  heavy_check_mark: [s("m3.5 10.5 4.5 4.5 8.5-10", GREEN, 2.6)],
  ballot_box_with_check: [box(BLUE), s("m5.5 10.5 3 3 6-7", "#fff", 2.2)],
  x: [s("m4 4 12 12M16 4 4 16", RED, 3.2)],
  o: [["circle", { cx: 10, cy: 10, r: 6.5, fill: "none", stroke: RED, "stroke-width": 3 }]],
  exclamation: [s("M10 3v8.5", RED, 3.2), c(RED, 1.8, 10, 16)],
  question: [s("M6.5 6.500c0-4.5 7-4.5 7 0 0 2.5-3.5 2.8-3.5 5.5", RED, 2.6), c(RED, 1.7, 10, 16.2)],
  grey_question: [s("M6.5 6.500c0-4.5 7-4.5 7 0 0 2.5-3.5 2.8-3.5 5.5", GREY, 2.6), c(GREY, 1.7, 10, 16.2)],
  no_entry: [c(RED), box("#fff", 5, 8.6, 10, 2.8, 0.8)],
  no_entry_sign: [["circle", { cx: 10, cy: 10, r: 7, fill: "none", stroke: RED, "stroke-width": 2.2 }], s("M5 5l10 10", RED, 2.2)],
  stop_sign: [p("M6.5 1.800h7L18.2 6.500v7l-4.7 4.700h-7L1.8 13.500v-7z", RED)],
  bell: [p(BELL, YELLOW)], no_bell: [p(BELL, YELLOW), s("M3 3l14 14", RED, 2.2)],
  mute: [p(SPEAKER, GREY), s("m13.5 8 4 4m0-4-4 4", RED, 1.8)],
  loud_sound: [p(SPEAKER, GREY), s("M13.5 7.500a4 4 0 0 1 0 5M15.8 5.500a7 7 0 0 1 0 9", INK, 1.6)],
  mega: [p("M2 8.5 14 3v13L2 11.500z", RED), p("M5 12l1 5h2.500l-1-4z", INK), s("M16.5 7.500a3 3 0 0 1 0 4", ORANGE)],
  fire: [p("M10 1.500c.5 3.5 5.5 5 5.5 10.500a5.5 5.5 0 0 1-11 0c0-3 1.5-4 2-6.5 1.5.8 2 2 2.2 3C10 7 10.5 4.5 10 1.500z", ORANGE), p("M10 9.500c.3 2 2.5 2.5 2.5 5a2.5 2.5 0 0 1-5 0c0-1.5 1-2 1.2-3 .6.3 1 .7 1 1.2.3-.8.4-2 .3-3.200z", YELLOW)],
  eyes: [["ellipse", { cx: 6, cy: 10, rx: 4, ry: 5.5, fill: PAPER, stroke: STEEL }], ["ellipse", { cx: 14, cy: 10, rx: 4, ry: 5.5, fill: PAPER, stroke: STEEL }], c(INK, 2.2, 4.8, 11), c(INK, 2.2, 12.8, 11)],
  hourglass: hourglass("M7 15.500c.3-1.5 2-2.2 3-3.5 1 1.3 2.7 2 3 3.500z"),
  hourglass_flowing_sand: hourglass("M7 5.500h6c-.5 1.8-2.5 2.5-3 4.5-.5-2-2.5-2.7-3-4.500zM8 15.500c.5-1 1.5-1.3 2-2 .5.7 1.5 1 2 2z"),
  alarm_clock: [c(RED, 2.5, 4.5, 4.5), c(RED, 2.5, 15.5, 4.5), ...ring("M10 6v4l2.5 1.5")],
  stopwatch: [box(INK, 8.5, 0.5, 3, 2.5, 0.5), ...ring("M10 5.500V10")], timer_clock: ring("M10 5.500V10l3 1"),
  chart_with_upwards_trend: chart("M4.5 14.5 8 10l3 2.500L15.5 5", RED),
  chart_with_downwards_trend: chart("M4.5 5.5 8 10l3-2.5 4.5 7.5", BLUE),
  bar_chart: [box(PAPER, 2, 2, 16, 16, 2), ["rect", { x: 2, y: 2, width: 16, height: 16, rx: 2, fill: "none", stroke: STEEL }], box(GREEN, 4.5, 9, 3, 6.5, 0.5), box(RED, 8.5, 5, 3, 10.5, 0.5), box(BLUE, 12.5, 7.5, 3, 8, 0.5)],
  memo: [...sheet, s("M5.5 6h8M5.5 9h8M5.5 12h4", GREY, 1.2), p("m9.5 15.5 6-6.5 2.5 2-6 6.5-3 .8z", YELLOW)],
  page_facing_up: [...sheet, s("M5.5 6h8M5.5 9h8M5.5 12h8M5.5 15h5", GREY, 1.2)],
  clipboard: [box(BROWN, 3, 3, 14, 15, 1.5), box(PAPER, 5, 5, 10, 11, 0.5), box(STEEL, 7, 1.5, 6, 3.5, 1), s("M7 9h6M7 12h6", GREY, 1.2)],
  wrench: [s("M5 15.5 12 8.5", STEEL, 3.4), p("M17.5 5.5 14.8 8l-2.6-.4-.4-2.6 2.6-2.700A4.6 4.6 0 0 0 9.8 8.400a4.6 4.6 0 0 0 7.7-2.900z", STEEL)],
  hammer_and_wrench: [s("M4.5 16 14 6.5", STEEL, 2.6), p("M17.8 5.2 15 7.400l-2.2-.2-.3-2.3 2-2.500a4 4 0 0 0-3.9 5.4 4 4 0 0 0 7.2-2.600z", STEEL), s("M15.5 16 7.5 8", BROWN, 2.4), p("M2 7l4.5-4.5 3.5 1-5.5 5.500z", INK)],
  hammer: [s("M15.5 16 7.5 8", BROWN, 2.6), p("M2 7l4.5-4.5 4.5 1.5-6 6z", INK)],
  gear: [["circle", { cx: 10, cy: 10, r: 5, fill: "none", stroke: GREY, "stroke-width": 3.2 }], s("M10 1.800v3M10 15.200v3M1.8 10h3M15.2 10h3M4.2 4.200l2.1 2.100M13.7 13.700l2.1 2.100M4.2 15.800l2.1-2.100M13.7 6.300l2.1-2.1", GREY, 2.4)],
  bulb: [p("M10 1.800a6 6 0 0 1 3.5 10.900c-.6.5-.8 1-.8 1.800H7.300c0-.8-.2-1.3-.8-1.800A6 6 0 0 1 10 1.800z", YELLOW), box(GREY, 7.3, 15.2, 5.4, 3, 1)],
  sos: word(RED, "SOS", 7), new: word(BLUE, "NEW", 6.5), ok: word(BLUE, "OK"), up: word(BLUE, "UP!", 7.5),
  information_source: [box(BLUE), s("M10 9.500V14", "#fff", 2.2), c("#fff", 1.4, 10, 6)],
  tada: [p("M2 18 6.5 7l6.5 6.500z", YELLOW), s("M10 7c0-3 2-4 1-5.500M13 10c3 .5 3.5-1.5 5-1M12.5 7.5 16 4", PURPLE, 1.5), c(RED, 1.1, 15, 13), c(BLUE, 1.1, 6.5, 3.5), c(GREEN, 1.1, 17, 6)],
  lock: [s("M6 9V6.500a4 4 0 0 1 8 0V9", GREY, 2), box(YELLOW, 3.5, 9, 13, 9, 1.5)],
  unlock: [s("M6 9V5.500a4 4 0 0 1 7.5-1.8", GREY, 2), box(YELLOW, 3.5, 9, 13, 9, 1.5)],
  key: [["circle", { cx: 6.5, cy: 6.5, r: 3.5, fill: "none", stroke: YELLOW, "stroke-width": 2.4 }], s("m9.2 9.2 7 7M13 13l-1.8 1.800M15.5 15.500l-1.5 1.5", YELLOW, 2.2)],
  link: [s("M8.5 11.500a3.5 3.5 0 0 0 5 0l3-3a3.5 3.5 0 0 0-5-5l-1 1M11.5 8.500a3.5 3.5 0 0 0-5 0l-3 3a3.5 3.5 0 0 0 5 5l1-1", GREY, 2)],
  mag: [["circle", { cx: 8, cy: 8, r: 5, fill: "#d9ecfb", stroke: INK, "stroke-width": 1.8 }], s("m12 12 5.5 5.5", BROWN, 2.8)],
  speech_balloon: [p("M2 3.500h16v10H9l-4 4v-4H2z", STEEL), c(INK, 1, 6.5, 8.5), c(INK, 1, 10, 8.5), c(INK, 1, 13.5, 8.5)],
  zap: [p("M11.5 1 3.5 11.500h5L7 19l9-11h-5.500z", YELLOW)],
  boom: [p("m10 1 2 4.5 4.5-2-1 4.700L19 10l-3.8 2 1.3 4.5-4.5-2L10 19l-2-4.5-4.5 2L4.8 12 1 10l3.5-1.8-1-4.7 4.5 2z", ORANGE), c(YELLOW, 3.5)],
  rocket: [p("M12 3.500c2-1.5 4.5-2 6-1.5.5 1.5 0 4-1.5 6L10 14.5 5.5 10z", STEEL), c(BLUE, 1.7, 13.2, 6.8), p("M6.5 8.5 2 10l3 2zM11.5 13.5 10 18l-2-3z", RED), p("M5 12.5 7.5 15 3 17z", ORANGE)],
  bug: [["ellipse", { cx: 10, cy: 11, rx: 4.5, ry: 6, fill: GREEN }], c(INK, 2.5, 10, 4.5), s("M5.5 8 2.5 6.500M14.5 8l3-1.500M5 11.500H2M15 11.500h3M5.5 15l-2.5 2M14.5 15l2.5 2", INK, 1.3)],
  package: [p("M10 2 18 5.500v9L10 18l-8-3.500v-9z", "#c88d55"), p("M2 5.5 10 9l8-3.5", "#dca76f"), s("M10 9v9M2 5.5 10 9l8-3.5", BROWN, 1.2)],
  thumbsup: [p("M7 9 10 2c2.5 0 3 1.5 2 5h5c1 0 1.5 1 1.2 2l-2 7c-.3 1-1 1.5-2 1.500H7z", YELLOW), box(BLUE, 2, 9, 4, 9, 0.8)],
  wave: [p("M6 17c-3-2-4.5-6-4-7.5.8-1 1.8 0 2.5 1.500L3.5 5c.5-1.5 1.8-1 2 0l1.3 3.500L6.5 3c.5-1.5 2-1.3 2 0l.8 5 1-4.500c.5-1.3 2-.8 1.8.5L11.5 10l2.5-3c1-.8 2 .2 1.5 1.2-1.5 3-1.5 9.5-5.5 9.5-1.5 0-3 0-4-.7z", YELLOW)],
  robot_face: [box("#a9bdd0", 3, 5, 14, 12, 3), c(INK, 1.6, 7, 10), c(INK, 1.6, 13, 10), s("M7 14h6M10 2v3", INK, 1.5), c(RED, 1.3, 10, 2)],
  calendar: [box(PAPER, 2, 3, 16, 15, 2), box(RED, 2, 3, 16, 4.5, 1.5), s("M5.5 11h2M9 11h2M12.5 11h2M5.5 14.500h2M9 14.500h2", GREY, 1.6)],
  shield: [p("M10 1.5 17 4v5.500c0 4.5-3 7.5-7 9-4-1.5-7-4.5-7-9V4z", BLUE)],
  arrows_counterclockwise: [box(BLUE), s("M5.5 8a5 5 0 0 1 9-.5M14.5 12a5 5 0 0 1-9 .5M14.8 4.500v3h-3M5.2 15.500v-3h3", "#fff", 1.7)],
  repeat: [box(BLUE), s("M5 9V7.500h9M12 5l2.5 2.500L12 10M15 11v1.500H6M8 10l-2.5 2.500L8 15", "#fff", 1.6)],
  arrow_up: arrow("M10 15.500v-11m-4.5 4.500L10 4.5 14.5 9"), arrow_down: arrow("M10 4.500v11m4.5-4.500L10 15.5 5.5 11"),
  arrow_right: arrow("M4.5 10h11M11 5.500l4.5 4.5-4.5 4.5"), arrow_left: arrow("M15.5 10h-11M9 5.5 4.5 10 9 14.5"),
  arrow_upper_right: arrow("M5.5 14.500l9-9m-6.5 0h6.500V12"), arrow_lower_right: arrow("M5.5 5.500l9 9V8m0 6.500H8"),
  arrow_forward: [box(BLUE), p("M7.5 5.500v9l7-4.500z", "#fff")],
  double_vertical_bar: [box(BLUE), s("M7.5 6v8M12.5 6v8", "#fff", 2.4)],
  black_square_for_stop: [box(BLUE), box("#fff", 6, 6, 8, 8, 0.8)],
  heavy_minus_sign: [s("M4 10h12", GREY, 3)], heavy_plus_sign: [s("M4 10h12M10 4v12", GREY, 3)],
  zzz: [s("M3 11h6l-6 6.500h6M11 3h6l-6 6.500h6", BLUE, 1.9)],
  inbox_tray: [box(STEEL, 2, 12, 16, 6, 1.5), s("M10 2v8m-3.5-3 3.5 3.500L13.5 7", BLUE, 2)],
  construction: [box(INK, 4, 10, 2, 8, 0), box(INK, 14, 10, 2, 8, 0), box(YELLOW, 1.5, 4, 17, 7, 1), s("M4 11 7.5 4M9 11l3.5-7M14 11l3-6.5", INK, 2)],
  newspaper: [box(PAPER, 2, 3, 16, 14, 1.5), ["rect", { x: 2, y: 3, width: 16, height: 14, rx: 1.5, fill: "none", stroke: STEEL }], box(INK, 4.5, 5.2, 11, 2.2, 0.4), box(STEEL, 4.5, 9, 4.5, 5.5, 0.4), s("M10.800 9.800h4.700M10.800 12h4.700M10.800 14.200h4.700", GREY, 1.1)],
  sunrise: [box("#7fb2e8"), ["circle", { cx: 10, cy: 12, r: 4.2, fill: YELLOW }], s("M10 4.500v1.800M4.500 6.500l1.300 1.300M15.500 6.500l-1.300 1.300", YELLOW, 1.6), box("#2f6fb2", 2, 12.5, 16, 5.5, 2)],
  ocean: [box("#d9ecfb"), s("M2.500 8.500q2.500-4 5 0t5 0 5 0", BLUE, 2.4), s("M2.500 13.500q2.500-4 5 0t5 0 5 0", BLUE, 2.4)],
  pager: [box(INK, 2, 5, 16, 11, 2), box(GREEN, 4, 7, 12, 3.8, 0.6), c(STEEL, 1.1, 6, 13.4), c(STEEL, 1.1, 10, 13.4), c(RED, 1.1, 14, 13.4)],
  straight_ruler: [p("M2 14 14 2l4 4L6 18z", YELLOW), s("m5 11 1.800 1.800M8 8l1.800 1.800M11 5l1.800 1.800", BROWN, 1.3)],
  loudspeaker: [p("M2 8h4l8-5v14l-8-5H2z", RED), s("M16.500 7.500a3.500 3.500 0 0 1 0 5", INK, 1.6), box(INK, 4.5, 12.5, 2.5, 5, 0.6)],
  arrow_up_down: arrow("M10 3.500v13m-4-9.500 4-3.500 4 3.500m-8 6 4 3.500 4-3.500"),
  leftwards_arrow_with_hook: arrow("M15 5.500v3.300a2.700 2.700 0 0 1-2.700 2.700H5m4-4-4 4 4 4"),
  handshake: [s("M2 8l4 5 3 2 2-1M18 8l-4 5-3 2M6 7l4 1 4-1", ORANGE, 2.4)],
  bust_in_silhouette: [c(GREY, 4, 10, 6), p("M2.5 18c0-4.5 3.5-6.5 7.5-6.500s7.5 2 7.5 6.500z", GREY)],
};
for (let hour = 1; hour <= 12; hour += 1) {
  ART[`clock${hour}`] = hand(hour * 60);
  ART[`clock${hour}30`] = hand(hour * 60 + 30);
}

const bare = (character) => character.replaceAll("\uFE0F", "");
const NAME_OF = new Map();
for (const [name, character] of EMOJI) {
  const known = NAME_OF.get(bare(character));
  if (!known || (!(known in ART) && name in ART)) NAME_OF.set(bare(character), name);
}

// Arrows, digits and marks that ordinary fonts hold stay as their author wrote them.
const PICTOGRAPHIC = /(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F|[\u26A0\u2705\u274C\u2714])\uFE0F?/gu;

let colourFont;

/** Whether this machine can show emoji; where it cannot, the name is better than an empty box. */
function hasEmojiFont() {
  if (colourFont !== undefined) return colourFont;
  const canvas = h("canvas", { width: 16, height: 16 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return (colourFont = true);
  context.font = "14px 'Apple Color Emoji','Segoe UI Emoji','Noto Color Emoji',sans-serif";
  context.fillText("🔥", 0, 14);
  const { data } = context.getImageData(0, 0, 16, 16);
  colourFont = false;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] > 0 && Math.abs(data[i] - data[i + 2]) > 40) colourFont = true;
  }
  return colourFont;
}

/** The element for `:name:`, or null when nobody knows that name. */
export function emoji(name) {
  const plain = name.replace(/::skin-tone-\d$/, "");
  const character = EMOJI.get(plain);
  if (!character) return null;
  const drawn = ART[plain] ?? ART[NAME_OF.get(bare(character))];
  const label = { role: "img", "aria-label": `${plain.replaceAll("_", " ")} emoji`, title: `:${plain}:` };
  if (drawn) return h("span", { class: "emoji", ...label }, picture(drawn));
  if (!hasEmojiFont()) return h("span", { class: "emoji-name", ...label }, `:${plain}:`);
  return h("span", { class: "emoji", ...label }, character);
}

function picture(shapes) {
  return svg(
    "svg",
    { viewBox: "0 0 20 20", "aria-hidden": "true", focusable: "false" },
    shapes.map(([tag, attributes, text]) => svg(tag, attributes, text)),
  );
}

/** Text with its emoji characters drawn, as a list of nodes and strings. */
export function withEmoji(text) {
  const out = [];
  let from = 0;
  for (const match of text.matchAll(PICTOGRAPHIC)) {
    const name = NAME_OF.get(bare(match[0]));
    const node = name && emoji(name);
    if (!node) continue;
    out.push(text.slice(from, match.index), node);
    from = match.index + match[0].length;
  }
  out.push(text.slice(from));
  return out;
}

const SHORTCODE = /:([a-z0-9_+'-]+(?:::skin-tone-\d)?):/g;

/** Text with shortcodes and emoji characters drawn. */
export function withShortcodes(text) {
  const out = [];
  let from = 0;
  for (const match of text.matchAll(SHORTCODE)) {
    const node = emoji(match[1]);
    if (!node) continue;
    out.push(withEmoji(text.slice(from, match.index)), node);
    from = match.index + match[0].length;
  }
  out.push(withEmoji(text.slice(from)));
  return out.flat();
}
