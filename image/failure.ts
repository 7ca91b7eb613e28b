/** The one error of image/ that is meant for people: it says what is wrong, where, and what to do. */
export class ImageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ImageError";
  }
}
