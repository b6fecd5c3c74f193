import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import { configs } from "typescript-eslint";

export default defineConfig(js.configs.recommended, {
  files: ["**/*.ts"],
  extends: [configs.strictTypeChecked, configs.stylisticTypeChecked],
  languageOptions: { parserOptions: { projectService: true } },
  rules: {
    "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
  },
});
