// Saves the notebook when `due` is set.

function render({ model }) {
    const document = model.widget_manager.context; // of a notebook in JupyterLab
    function save() {
        if (!model.get("due")) return;
        model.set("due", false);
        model.save_changes();
        if (document?.contentsModel?.writable) document.save();
    }
    model.on("change:due", save);
    save();
    return () => model.off("change:due", save);
}

export default { render };
