/** The style sheet's colours, for the canvas. */

export interface Colours {
  readonly traffic: readonly string[];
  of(name: string): string;
}

/** As they are now; read them again when the theme changes. */
export function readColours(traffic: readonly (readonly [id: string, ...rest: readonly string[]])[]): Colours {
  const known = new Map<string, string>();
  // The value of a variable may be light-dark(), which a canvas does not know; the colour of an element is resolved.
  const probe = document.createElement("i");
  const read = (name: string): string => {
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
  const of = (name: string): string => {
    const value = known.get(name) ?? read(name);
    known.set(name, value);
    return value;
  };
  return { traffic: traffic.map(([id]) => of(`k-${id}`)), of };
}
