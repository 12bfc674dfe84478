/** Finds an element of index.html. */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * Creates an element. Strings become text, never markup, because names, reasons and messages are foreign text.
 */
export function element(tag, { dataset = {}, ...properties } = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  Object.assign(node.dataset, dataset);
  node.append(...children);
  return node;
}

/** Sets the text if it differs, so that a frequent update keeps text selections and costs little. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets a data attribute; `undefined` removes it. */
export function setData(node, name, value) {
  if (value === undefined) delete node.dataset[name];
  else if (node.dataset[name] !== String(value)) node.dataset[name] = value;
}
