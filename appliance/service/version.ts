/** The firmware's version: that of package.json, which is not in the image. */
export const VERSION = "0.1.0";
