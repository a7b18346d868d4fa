import "@countersign/contract/interpreted";

import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "./api/queries.ts";
import "./app.css";
import { router } from "./router.tsx";
import { applyTheme } from "./ui/theme.tsx";

applyTheme();

const root = document.getElementById("root");
if (root === null) throw new Error("expected an element with id root, got none");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
