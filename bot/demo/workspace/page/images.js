/** Images. The page asks no other host for anything, so a foreign image is named and linked instead of loaded. */

import { h, outsideLink } from "./dom.js";

const isOurs = (address) => {
  try {
    const url = new URL(address, location.href);
    return url.origin === location.origin || url.protocol === "data:";
  } catch {
    return false;
  }
};

/** An image of an image block, an accessory or a context. */
export function imageNode(spec, className) {
  const address = spec.image_url ?? spec.slack_file?.url ?? "";
  if (isOurs(address)) return h("img", { src: address, alt: spec.alt_text ?? "", class: className, loading: "lazy" });
  return h(
    "span",
    { class: `${className} image-elsewhere`, role: "img", "aria-label": spec.alt_text ?? "Image" },
    outsideLink(address, spec.alt_text || "Image", { title: `The picture is elsewhere: ${address}` }),
  );
}
