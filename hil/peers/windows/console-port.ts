/** Where the commands of the Windows profile's guest reach its program. */
export const CONSOLE_PORT = 7001;
