/** Of the program; as in package.json, which is elsewhere once the program is built. */
export const version = "0.1.0";
