/** The YAML blocks of a Markdown page, in order. */
export function yamlBlocks(page: string): string[] {
  return [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? "");
}
