import { z } from "zod";

// For pages under strict rules: zod would compile schemas with `new Function`, which they forbid; interpreting is fast
// enough there. Import it before everything else, because zod looks when the first schema is declared.
z.config({ jitless: true });
