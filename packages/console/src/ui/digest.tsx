/** A digest: its beginning to compare by eye, the whole of it to copy. */
export function Digest({ of, full = false }: { readonly of: string; readonly full?: boolean }) {
  const hex = of.replace("sha256:", "");
  if (!full) {
    return (
      <code title={of} className="font-mono text-xs whitespace-nowrap">
        {hex.slice(0, 8)}…{hex.slice(-8)}
      </code>
    );
  }
  return <code className="block font-mono text-xs leading-5 break-all">{hex.match(/.{8}/g)?.join(" ")}</code>;
}
