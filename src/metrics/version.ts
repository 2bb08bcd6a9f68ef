/** Version of the program, equal to package.json, which is not part of the build. */
export const version = "0.1.0";
