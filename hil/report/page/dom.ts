/** Elements in one call. */

type Child = Node | string | undefined;

/** `attributes` that are undefined are left out; `text` children are text, never markup. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | undefined>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(name, value);
  for (const child of children) if (child !== undefined) element.append(child);
  return element;
}

/** Scrolls `scroller`, and nothing around it, so that `target` is in its middle. */
export function centre(scroller: HTMLElement, target: HTMLElement): void {
  const inside = target.getBoundingClientRect();
  const around = scroller.getBoundingClientRect();
  scroller.scrollTop += inside.top - around.top - (around.height - inside.height) / 2;
}
