import { useState } from "react";
import { useZone } from "./time.tsx";

const themes = [
  ["system", "System"],
  ["light", "Light"],
  ["dark", "Dark"],
  ["contrast", "High contrast"],
] as const;

/** Applies the remembered theme before the first paint of the app. */
export function applyTheme(theme: string = localStorage.getItem("theme") ?? "system"): void {
  document.documentElement.dataset.theme = theme;
}

const look = "rounded border border-line1 bg-bg1 px-1.5 py-1 text-xs text-fg1";

/** Theme and time zone of this browser. */
export function Preferences() {
  const [theme, setTheme] = useState(localStorage.getItem("theme") ?? "system");
  const [zone, setZone] = useZone();
  return (
    <div className="grid gap-1.5">
      <select
        aria-label="Theme"
        className={look}
        value={theme}
        onChange={(event) => {
          localStorage.setItem("theme", event.target.value);
          setTheme(event.target.value);
          applyTheme(event.target.value);
        }}
      >
        {themes.map(([value, text]) => (
          <option key={value} value={value}>
            {text} theme
          </option>
        ))}
      </select>
      <select
        aria-label="Time zone"
        className={look}
        value={zone}
        onChange={(event) => setZone(event.target.value === "local" ? "local" : "utc")}
      >
        <option value="utc">Times in UTC</option>
        <option value="local">Local times</option>
      </select>
    </div>
  );
}
