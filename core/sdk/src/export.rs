//! The macro that makes a crate a plugin.

/// Exports experiments: `gradtop_sdk::export_experiments![First, Second];`, once, at the root of a `cdylib`.
///
/// Defines `gradtop_entry_v1`, the only symbol of a plugin. Experiments without a version get that of the crate.
#[macro_export]
macro_rules! export_experiments {
    () => {
        ::core::compile_error!("export_experiments! needs at least one experiment: export_experiments![MyExperiment];");
    };
    ($($experiment:ty),+ $(,)?) => {
        /// Entry of this plugin, called by gradtop.
        #[allow(unsafe_code, reason = "the symbol that gradtop looks up")]
        #[unsafe(no_mangle)]
        pub extern "C" fn gradtop_entry_v1() -> *const $crate::boundary::Entry {
            const _: () = ::core::assert!(
                ::core::cfg!(panic = "unwind"),
                "a gradtop plugin must be built with panic = \"unwind\", or a panic would end it without a message"
            );
            struct Library;
            impl $crate::boundary::Library for Library {
                fn plugin() -> &'static $crate::boundary::Plugin {
                    static PLUGIN: ::std::sync::OnceLock<$crate::boundary::Plugin> =
                        ::std::sync::OnceLock::new();
                    PLUGIN.get_or_init(|| {
                        $crate::boundary::Plugin::new::<Self>(
                            ::std::vec![$($crate::boundary::Exported::of::<$experiment>()),+],
                            ::core::env!("CARGO_PKG_VERSION"),
                            ::core::option_env!("GRADTOP_PLUGIN_RUSTC"),
                            ::core::option_env!("GRADTOP_PLUGIN_LIBTORCH"),
                        )
                    })
                }
            }
            $crate::boundary::entry::<Library>()
        }
    };
    ($($anything:tt)*) => {
        ::core::compile_error!("export_experiments! takes types with commas between: export_experiments![First, Second];");
    };
}
