import { z } from "zod";

// zod would compile schemas with `new Function`, which the page rules forbid; interpreting them is fast enough here.
// Imported before everything else, because zod looks when the first schema is declared.
z.config({ jitless: true });
