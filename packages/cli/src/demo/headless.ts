import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export async function runHeadless(options: { readonly seed: number; readonly verbose: boolean; readonly folder?: string; readonly say: (line: string) => void }): Promise<{ ok: boolean; report: unknown; text: string }> {
  return { ok: false, report: options.folder ?? mkdtempSync(join(tmpdir(), "countersign-")), text: "" };
}
