"""Any other chat model of LangChain in the policy's place: its prompt, its reply, its errors, its name."""
