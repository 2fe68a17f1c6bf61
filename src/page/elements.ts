/** The element with this id. @throws if the page has none of this kind: a mistake in index.html. */
export function element<T extends Element>(id: string, kind: new () => T): T {
  const found = document.getElementById(id)
  if (found instanceof kind) return found
  throw new Error(`There is no ${kind.name} #${id}.`)
}

/** An element with a class and text, or with children. */
export function make(tag: string, className: string, ...children: readonly (string | Node)[]): HTMLElement {
  const made = document.createElement(tag)
  if (className) made.className = className
  made.append(...children)
  return made
}

/** Writes only what changed, so that a reader of the page is not disturbed. */
export function write(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text
}
