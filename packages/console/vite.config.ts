import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import tailwind from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Writes a `.br` beside every text asset; the server sends it to whoever accepts it. */
function brotli(): Plugin {
  return {
    name: "brotli",
    apply: "build",
    closeBundle() {
      const folder = join(import.meta.dirname, "dist/assets");
      for (const name of readdirSync(folder)) {
        if (/\.(js|css|svg)$/.test(name))
          writeFileSync(join(folder, `${name}.br`), brotliCompressSync(readFileSync(join(folder, name))));
      }
    },
  };
}

// Assets are never inlined as data: URLs of fonts or scripts: the page rules allow only files of our own origin.
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), tailwind(), brotli()],
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false }, target: "es2022", sourcemap: false },
});
