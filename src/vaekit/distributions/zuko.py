"""The one way to zuko, which is optional and would change torch for everybody."""

from types import ModuleType

from torch.distributions import Distribution


def load_zuko() -> ModuleType:
    """Zuko (Rozet et al., 2022), imported with torch's validation of distributions left as it was.

    Raises ImportError where it is not installed.
    """
    validate = Distribution._validate_args
    try:
        import zuko
    except ImportError as error:
        raise ImportError("flows need the package zuko: install it with pip install 'vaekit[flows]'") from error
    finally:
        Distribution.set_default_validate_args(validate)
    return zuko
