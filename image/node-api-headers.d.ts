/** The npm package node-api-headers ships no types; this is the part of it that compile.ts uses. */
declare module "node-api-headers" {
  /** Absolute path of the folder with node_api.h. */
  export const include_dir: string;
}
