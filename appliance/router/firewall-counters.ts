/** What `nft -j list table` says about the rules of ruleset.ts: what each lets through or stops, and how often. */

export interface FirewallRule {
  readonly chain: string;
  /** Our comment on it. */
  readonly what: string;
  readonly verdict: "accept" | "drop" | "map" | "masquerade";
  readonly packets: number;
  readonly bytes: number;
}

type Record_ = Readonly<Record<string, unknown>>;

/** Total: of anything else there are no rules. */
export function parseFirewallCounters(json: string): readonly FirewallRule[] {
  const items = asRecord(parse(json))["nftables"];
  if (!Array.isArray(items)) return [];
  return items.flatMap((item) => {
    const { chain, comment, expr } = asRecord(asRecord(item)["rule"]);
    if (typeof chain !== "string" || typeof comment !== "string" || !Array.isArray(expr)) return [];
    const statements = expr.map(asRecord);
    const counter = asRecord(statements.find((each) => "counter" in each)?.["counter"]);
    const { packets, bytes } = counter;
    if (typeof packets !== "number" || typeof bytes !== "number") return [];
    return [{ chain, what: comment, verdict: verdictOf(statements), packets, bytes }];
  });
}

function verdictOf(statements: readonly Record_[]): FirewallRule["verdict"] {
  const has = (word: string): boolean => statements.some((each) => word in each);
  if (has("dnat")) return "map";
  if (has("masquerade")) return "masquerade";
  return has("accept") ? "accept" : "drop";
}

function asRecord(value: unknown): Record_ {
  return typeof value === "object" && value !== null ? (value as Record_) : {};
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
