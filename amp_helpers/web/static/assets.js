"use strict";
// Files embedded in the page, so that it opens from a disk too, where a browser refuses to fetch: each is gzipped and
// in base64, in a script element that is never executed.

/** Return a promise of the bytes of an embedded file. */
async function asset(name) {
  const element = document.getElementById(`asset-${name}`);
  const text = atob(element.textContent);
  element.remove(); // the text is several megabytes
  const packed = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Return a promise of the text of an embedded file. */
async function textAsset(name) {
  return new TextDecoder().decode(await asset(name));
}

/** Return a promise of an address from which an embedded script can be imported; `replaced` changes what it imports. */
async function moduleAddress(name, replaced = {}) {
  let text = await textAsset(name);
  for (const [from, to] of Object.entries(replaced)) text = text.replaceAll(from, to);
  return URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
}

/** Return a promise of an embedded module. */
async function moduleAsset(name, replaced) {
  return import(await moduleAddress(name, replaced));
}
