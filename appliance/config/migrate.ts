/** Bringing stored values from the schema of an older firmware to this one's, one version at a time. */
import { SCHEMA_VERSION } from "./schema.ts";

/** What a file says, by path. Its firmware checked it by its own schema; nothing else is known about it. */
export type StoredValues = ReadonlyMap<string, unknown>;

/** The step from the schema before to `to`. */
export interface Migration {
  readonly to: number;
  /** Other values in the place of the old ones; those that stay the same are passed on. It has no side effects. */
  readonly migrate: (values: StoredValues) => StoredValues;
}

/** What this firmware can read: `version`, and each older one from which an unbroken row of steps leads here. */
export interface Schemas {
  readonly version: number;
  readonly migrations: readonly Migration[];
}

/** Version 1 is the first: no device holds anything older. */
export const SCHEMAS: Schemas = { version: SCHEMA_VERSION, migrations: [] };

export type Migrated =
  | { readonly ok: true; readonly values: StoredValues }
  | { readonly ok: false; readonly problem: string };

/** `values` of schema `from` as this firmware would have stored them, or why it cannot be had. */
export function migrate(values: StoredValues, from: number, { version, migrations }: Schemas): Migrated {
  if (from > version)
    return { ok: false, problem: `it was stored by a newer firmware, with schema ${from}; this one knows ${version}` };
  let migrated = values;
  for (let to = from + 1; to <= version; to++) {
    const step = migrations.find((each) => each.to === to);
    if (step === undefined) return { ok: false, problem: `it has schema ${from}, which is not known here` };
    migrated = step.migrate(migrated);
  }
  return { ok: true, values: migrated };
}
