/** Version of this build; goes into evidence of every step. */
export const build = "0.1.0";
