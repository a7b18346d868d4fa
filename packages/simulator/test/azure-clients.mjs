// Run by azure-clients.test.ts in a process of its own: NODE_EXTRA_CA_CERTS is read only at start.
import { ClientSecretCredential } from "@azure/identity";
import { SecretClient } from "@azure/keyvault-secrets";
import { ConfidentialClientApplication } from "@azure/msal-node";

const { authority, tenantId, vaultUrl, clientId, clientSecret, expired } = JSON.parse(process.argv[2] ?? "{}");
const results = {};

const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, {
  authorityHost: authority,
  disableInstanceDiscovery: true,
});
const token = await credential.getToken("https://graph.microsoft.com/.default");
results.tokenParts = token.token.split(".").length;

const secrets = new SecretClient(vaultUrl, credential, { disableChallengeResourceVerification: true });
const first = await secrets.setSecret("by-client", "one", { tags: { run: "r1" } });
const second = await secrets.setSecret("by-client", "two");
results.latest = (await secrets.getSecret("by-client")).value;
results.pinned = (await secrets.getSecret("by-client", { version: first.properties.version })).value;
results.versions = 0;
for await (const _ of secrets.listPropertiesOfSecretVersions("by-client")) results.versions += 1;
await secrets.updateSecretProperties("by-client", second.properties.version ?? "", { enabled: false });
results.disabled = await secrets.getSecret("by-client").then(
  () => "read",
  (error) => [error.statusCode, error.details?.error?.innerError?.code],
);
await (await secrets.beginDeleteSecret("by-client", { intervalInMs: 20 })).pollUntilDone();
results.conflict = await secrets.setSecret("by-client", "three", {}).then(
  () => "written",
  (error) => error.statusCode,
);
await (await secrets.beginRecoverDeletedSecret("by-client", { intervalInMs: 20 })).pollUntilDone();
results.recovered = (await secrets.getSecret("by-client", { version: first.properties.version })).value;

const signIn = async (tenant, id, secret) => {
  const app = new ConfidentialClientApplication({
    auth: {
      clientId: id,
      clientSecret: secret,
      authority: `${authority}/${tenant}`,
      knownAuthorities: [new URL(authority).host],
    },
  });
  return app.acquireTokenByClientCredential({ scopes: ["https://graph.microsoft.com/.default"] }).then(
    () => "ok",
    (error) => String(error.errorNo ?? error.message),
  );
};
results.msal = {
  good: await signIn(tenantId, clientId, clientSecret),
  wrongSecret: await signIn(tenantId, clientId, "wrong"),
  unknownApplication: await signIn(tenantId, "00000000-0000-4000-8000-000000000000", clientSecret),
  expired: await signIn(tenantId, expired.clientId, expired.clientSecret),
};
process.stdout.write(JSON.stringify(results));
