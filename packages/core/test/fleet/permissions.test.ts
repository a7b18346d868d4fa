import { describe, expect, it } from "vitest";
import { clientPermissions } from "../../src/index.ts";

const graph = (...permissions: string[]) =>
  permissions.map((permission) => ({
    resource: "Microsoft Graph",
    resourceAppId: "00000003-0000-0000-c000-000000000000",
    permission,
  }));

describe("what a client holds", () => {
  it("fits when it is what it needs, or reads more", () => {
    const reader = clientPermissions(
      "reader",
      "r",
      graph("Policy.Read.All", "Application.Read.All", "AuditLog.Read.All"),
    );
    expect(reader).toMatchObject({ missing: [], excessive: [] });
    const writer = clientPermissions("writer", "w", graph("Application.ReadWrite.OwnedBy", "User.ReadBasic.All"));
    expect(writer).toMatchObject({ missing: [], excessive: [] });
  });

  it("lacks what neither it nor a broader one gives, and the broader one is too much", () => {
    const writer = clientPermissions("writer", "w", graph("Application.ReadWrite.All"));
    expect(writer).toMatchObject({ missing: [], excessive: ["Application.ReadWrite.All"] });
    expect(clientPermissions("writer", "w", graph("Application.Read.All")).missing).toEqual([
      "Application.ReadWrite.OwnedBy",
    ]);
  });

  it("is judged by the directory's own API alone; what another offers by the same name is another permission", () => {
    // It may even have the same name.
    const found = [
      { resource: "Microsoft Graph", resourceAppId: "another-api", permission: "Application.ReadWrite.OwnedBy" },
    ];
    expect(clientPermissions("writer", "w", found)).toMatchObject({
      granted: ["Microsoft Graph: Application.ReadWrite.OwnedBy"],
      missing: ["Application.ReadWrite.OwnedBy"],
      excessive: ["Microsoft Graph: Application.ReadWrite.OwnedBy"],
    });
  });

  it("is not known where it could not be read: nothing is missing and nothing too much", () => {
    expect(clientPermissions("writer", "w", null)).toEqual({
      client: "writer",
      clientId: "w",
      granted: null,
      missing: [],
      excessive: [],
    });
  });
});
