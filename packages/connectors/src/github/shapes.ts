import { z } from "zod";
import { vendorTime } from "../kit/time.ts";

/** Only the members that are needed (GitHub REST 2022-11-28). */
export const Repository = z.object({ id: z.int(), full_name: z.string().max(200) });
export const Organization = z.object({ id: z.int(), login: z.string().max(100) });
export const PublicKey = z.object({ key_id: z.string().min(1).max(100), key: z.base64().length(44) });
export const Secret = z.object({
  name: z.string().max(200),
  updated_at: vendorTime,
  /** Only of an organization's secret. */
  visibility: z.enum(["all", "private", "selected"]).optional(),
});
export type Secret = z.infer<typeof Secret>;
export const SelectedPage = z.object({ total_count: z.int(), repositories: z.array(z.object({ id: z.int() })) });
export const InstallationToken = z.object({ token: z.string().min(1).max(1_000), expires_at: vendorTime });
export const GithubError = z.object({ message: z.string() });
