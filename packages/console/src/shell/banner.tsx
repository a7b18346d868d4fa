import type { Answer } from "@countersign/contract";

type Installation = Answer<"getSession">["installation"];

/** What this installation is not: shown on every page, so that nobody takes a demo for production. */
export function Banner({ installation }: { readonly installation: Installation }) {
  const { profile, clock, separation } = installation;
  if (profile === "production" && clock === "system" && separation === "roles") return null;
  return (
    <div className="flex flex-wrap gap-x-4 bg-banner-bg px-4 py-1 text-xs text-banner-fg">
      {profile !== "production" && <span className="font-semibold uppercase">{profile} installation</span>}
      {clock === "virtual" && <span>clock: virtual</span>}
      {separation === "none" && <span>separation: none (all roles in one process)</span>}
      {profile === "demo" && <span>No real tenant is connected.</span>}
    </div>
  );
}
