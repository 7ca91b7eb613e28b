/** A closer look at what is selected: a packet's fields and bytes, or what a step says. */
import type { PageRow } from "./data.ts";
import { el } from "./dom.ts";
import type { Store } from "./store.ts";

export class Detail {
  readonly element: HTMLElement = el("section", {
    class: "pane detail",
    "aria-label": "Details",
    "aria-live": "polite",
  });
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
    store.onChange((changes) => {
      if (changes.has("cursor")) this.#draw();
    });
    this.#draw();
  }

  #draw(): void {
    const { selection, data } = this.#store;
    this.element.replaceChildren(...this.#content());
    this.element.scrollTop = 0;
    this.element.classList.toggle("empty", selection === undefined || data.rows.length === 0);
  }

  #content(): (Node | string)[] {
    const { selection, data } = this.#store;
    if (selection?.kind === "row") {
      const row = data.rows[selection.row];
      if (row !== undefined) return this.#packet(row);
    }
    if (selection?.kind === "step") {
      const scenario = data.scenarios[selection.scenario];
      const step = scenario?.attempts[selection.attempt]?.steps[selection.step];
      if (step !== undefined) {
        const took = `from ${step.from.toFixed(3)} s to ${step.to.toFixed(3)} s`;
        const said = step.failure === undefined ? undefined : el("pre", { class: "failure" }, step.failure);
        return [
          el("h3", {}, `${scenario?.name ?? ""}: ${step.name}`),
          el("p", { class: "hint" }, step.open ? `${took}, when the run ended` : took),
          said ?? "",
        ];
      }
    }
    if (selection?.kind === "mark") {
      const mark = data.marks[selection.mark];
      if (mark !== undefined)
        return [el("h3", {}, `${mark.where}: ${mark.text}`), el("p", { class: "hint" }, `at ${mark.at.toFixed(6)} s`)];
    }
    if (selection?.kind === "line") {
      const [at = 0, , text = ""] = data.nodes[selection.node]?.lines[selection.line] ?? [];
      return [
        el("h3", {}, text),
        el("p", { class: "hint" }, `${data.nodes[selection.node]?.name ?? ""} at ${at.toFixed(6)} s`),
      ];
    }
    return [
      el("p", { class: "hint" }, "Click a packet, a step, a mark or a console line: everything jumps to that instant."),
    ];
  }

  #packet(row: PageRow): (Node | string)[] {
    const { data } = this.#store;
    const link = data.links[row.link];
    const source = data.nodes[row.source]?.name ?? "?";
    const target = row.target < 0 ? "everybody" : (data.nodes[row.target]?.name ?? "?");
    const frames = row.flows?.reduce((sum, flow) => sum + flow.frames, 0);
    const which = frames === undefined ? `frame ${row.frame}` : `${frames} frames from number ${row.frame} on`;
    const where = `${which} of ${link?.file ?? ""}, ${source} to ${target}, ${row.bytes} bytes, at ${row.at.toFixed(6)} s`;
    const fields = (row.fields ?? []).map(([name, value]) =>
      el("tr", name.startsWith("  ") ? { class: "inner" } : {}, el("th", {}, name.trim()), el("td", {}, value)),
    );
    return [
      el("h3", {}, row.label),
      el("p", { class: "hint" }, where),
      row.fault === undefined ? "" : el("p", { class: "fault" }, `Done to it by the lab: ${row.fault}`),
      row.wrong === undefined ? "" : el("p", { class: "wrong" }, row.wrong),
      el(
        "div",
        { class: "split" },
        fields.length === 0
          ? el(
              "p",
              { class: "hint" },
              `Its fields are not on this page, which would grow too large: see ${link?.file ?? ""}.`,
            )
          : el("table", { class: "fields" }, ...fields),
        row.hex === undefined ? "" : el("pre", { class: "hex", "aria-label": "Bytes" }, hexDump(row.hex)),
      ),
    ];
  }
}

/** Offset, sixteen bytes, and the characters they are. */
export function hexDump(hex: string): string {
  const lines: string[] = [];
  for (let at = 0; at < hex.length; at += 32) {
    const bytes = hex.slice(at, at + 32).match(/../g) ?? [];
    const text = bytes.map((byte) => {
      const code = Number.parseInt(byte, 16);
      return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : "·";
    });
    const [left, right] = [bytes.slice(0, 8).join(" "), bytes.slice(8).join(" ")];
    lines.push(`${(at / 2).toString(16).padStart(4, "0")}  ${left.padEnd(23)}  ${right.padEnd(23)}  ${text.join("")}`);
  }
  return lines.join("\n");
}
