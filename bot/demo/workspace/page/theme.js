/** Light, dark, or as the system has it. */

const KEY = "tocsin.theme";
const ORDER = ["auto", "light", "dark"];
const NAMES = {
  auto: { name: "auto", label: "Colours: as the system. Change to light" },
  light: { name: "sun", label: "Colours: light. Change to dark" },
  dark: { name: "moon", label: "Colours: dark. Change to as the system" },
};

const current = () => document.documentElement.dataset.theme ?? "auto";

export const themeName = () => NAMES[current()];

export function nextTheme() {
  apply(ORDER[(ORDER.indexOf(current()) + 1) % ORDER.length]);
}

export function applyStoredTheme() {
  try {
    apply(localStorage.getItem(KEY) ?? "auto");
  } catch {
    apply("auto");
  }
}

function apply(theme) {
  document.documentElement.dataset.theme = ORDER.includes(theme) ? theme : "auto";
  try {
    localStorage.setItem(KEY, current());
  } catch {
    // Kept for this visit only.
  }
}
