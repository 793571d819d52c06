/** Panels that open at a control: option lists, overflow menus, the account menu. One is open at a time. */

let open = null;

/**
 * Show `content` at `anchor`. It closes on Escape, on a press elsewhere and when `close` is called;
 * focus returns to the anchor unless the press went somewhere else.
 */
export function openPopup(anchor, content, { onClose = () => {}, width = 0 } = {}) {
  open?.close(false);
  // A panel outside an open modal dialog would be inert.
  (anchor.closest("dialog") ?? document.body).append(content);
  content.classList.add("popup");
  const place = () => placeAt(anchor, content, width);
  const outside = (event) => {
    if (!content.contains(event.target) && !anchor.contains(event.target)) close(false);
  };
  const keys = (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      close(true);
    } else if (event.key === "Tab") close(true);
  };
  const close = (returnFocus = true) => {
    if (open !== handle) return;
    open = null;
    document.removeEventListener("pointerdown", outside, true);
    window.removeEventListener("resize", place);
    document.removeEventListener("scroll", follow, true);
    content.remove();
    anchor.setAttribute("aria-expanded", "false");
    onClose();
    if (returnFocus && anchor.isConnected) anchor.focus();
  };
  const follow = (event) => {
    if (content.contains(event.target)) return;
    if (anchor.isConnected) place();
    else close(false);
  };
  const handle = { close, content, anchor };
  open = handle;
  document.addEventListener("pointerdown", outside, true);
  window.addEventListener("resize", place);
  document.addEventListener("scroll", follow, true);
  content.addEventListener("keydown", keys);
  anchor.setAttribute("aria-expanded", "true");
  place();
  return handle;
}

/** Under the anchor where there is room, else over it; never beyond the window. */
function placeAt(anchor, content, width) {
  const box = anchor.getBoundingClientRect();
  const gap = 4;
  content.style.setProperty("min-width", `${Math.max(box.width, width)}px`);
  content.style.setProperty("max-width", `${window.innerWidth - 16}px`);
  const below = window.innerHeight - box.bottom - 12;
  const above = box.top - 12;
  const upward = below < Math.min(content.scrollHeight, 260) && above > below;
  content.style.setProperty("max-height", `${Math.min(upward ? above : below, 380)}px`);
  const { width: wide, height: tall } = content.getBoundingClientRect();
  const left = Math.max(8, Math.min(box.left, window.innerWidth - wide - 8));
  content.style.setProperty("left", `${left}px`);
  content.style.setProperty("top", `${upward ? Math.max(8, box.top - tall - gap) : box.bottom + gap}px`);
}

/** Arrow keys, Home and End move the focus among the items of a menu. */
export function moveAmong(container, selector) {
  container.addEventListener("keydown", (event) => {
    const items = [...container.querySelectorAll(selector)];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? items.length - 1 : at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (to === undefined || !items.length) return;
    event.preventDefault();
    items[(to + items.length) % items.length].focus();
  });
}
